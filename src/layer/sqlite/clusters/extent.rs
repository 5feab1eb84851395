//! Which sectors are present, from one on.

use super::*;

/// An extent is put together of at most so many rows in one call.
const ROWS: usize = 64;

impl Clusters {
    /// The first run of present sectors at or after `sector`; it may go on behind its end.
    pub(super) fn next_present(&self, conn: &Connection, sector: u64) -> Result<Option<Range<u64>>> {
        let mut extent: Option<Range<u64>> = None;
        let mut from = sector;
        for _ in 0..ROWS {
            let Some(next) = self.next_run(conn, from)? else { break };
            match &mut extent {
                Some(extent) if extent.end == next.start => extent.end = next.end,
                Some(_) => break,
                None => extent = Some(next.clone()),
            }
            from = next.end;
        }
        Ok(extent)
    }

    /// The first run of one row, with what waits for it, or of one extent of zeros.
    fn next_run(&self, conn: &Connection, mut sector: u64) -> Result<Option<Range<u64>>> {
        loop {
            let cluster = self.shape.cluster_of(sector);
            if cluster >= self.shape.clusters() {
                return Ok(None);
            }
            let zeroed = zeros::next(conn, cluster)?.filter(|extent| extent.start < self.shape.clusters());
            let zeroed = zeroed.map(|extent| {
                let all = self.shape.sectors_of(&extent);
                all.start.max(sector)..all.end
            });
            let rows = [self.next_row(conn, cluster)?, self.waiting.borrow().next(cluster)];
            let Some(row) = rows
                .into_iter()
                .flatten()
                .min()
                .filter(|row| zeroed.as_ref().is_none_or(|zeroed| self.shape.first_sector(*row) < zeroed.start))
            else {
                return Ok(zeroed);
            };
            if let Some(run) = self.run_of(conn, row, sector)? {
                return Ok(Some(run));
            }
            sector = self.shape.first_sector(row + 1);
        }
    }

    /// The first cluster from `cluster` on that has a row.
    fn next_row(&self, conn: &Connection, cluster: u64) -> Result<Option<u64>> {
        prepare(conn, "SELECT cluster FROM clusters WHERE cluster >= ?1 ORDER BY cluster LIMIT 1")?
            .query_row(params![cluster as i64], |row| row.get::<_, i64>(0))
            .optional()
            .map(|cluster| cluster.map(|cluster| cluster as u64))
            .map_err(|e| sql_error("looking for the next cluster", e))
    }

    /// The first run of present sectors of a cluster at or after `sector`.
    fn run_of(&self, conn: &Connection, cluster: u64, sector: u64) -> Result<Option<Range<u64>>> {
        let first = self.shape.first_sector(cluster);
        let waiting = self.waiting.borrow().get(cluster).map(|part| part.stored.present | part.sectors);
        let present = match waiting {
            Some(present) => present,
            None => {
                let head = self.at_row(conn, cluster, Use::Reading, |blob| self.head(blob, cluster))?;
                head.ok_or_else(|| self.damaged(cluster, "its row is found by its number only"))?.0.present
            }
        };
        let behind = bits(sector.saturating_sub(first).min(self.shape.per_cluster())..self.shape.per_cluster());
        Ok(runs(present & behind).next().map(|run| first + run.start..first + run.end))
    }
}
