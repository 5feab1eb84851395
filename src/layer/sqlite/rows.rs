//! Format 0, the original's: one row a sector.

use std::ops::Range;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::database::sql_error;
use super::layout::{Change, Layout, Undo, execute, is_zero, prepare};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{Below, SectorMarker};

/// Sectors as rows of `sectors(sector, data)`; `data` is NULL for zeros.
pub(super) struct Rows {
    pub(super) sector_size: u32,
}

/// How many rows `next_extent` looks at in one call.
const EXTENT_ROWS: u32 = 4096;

impl Rows {
    fn sectors<'a>(&self, range: Range<u64>, data: &'a [u8]) -> impl Iterator<Item = (i64, &'a [u8])> {
        range.zip(data.chunks_exact(self.sector_size as usize)).map(|(sector, data)| (sector as i64, data))
    }

    fn read_row(&self, row: &rusqlite::Row<'_>, start: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let failed = |e| sql_error("reading a sector", e);
        let sector = row.get::<_, i64>(0).map_err(failed)? as u64;
        let size = self.sector_size as usize;
        // SQLite looks for the first sector that is asked for, and takes what follows: sectors in order.
        let Some(at) = sector.checked_sub(start).map(|sector| sector as usize * size) else {
            return Err(Error::new(ErrorKind::Corrupt, "sectors are stored out of order").at_sector(sector));
        };
        let buf = &mut buf[at..at + size];
        match row.get_ref(1).map_err(failed)? {
            ValueRef::Null if planted(Fault::ZeroedSectorNotFilled) => {}
            ValueRef::Null => buf.fill(0),
            ValueRef::Blob(data) if data.len() == size => buf.copy_from_slice(data),
            ValueRef::Blob(data) if planted(Fault::SectorLengthUnchecked) => {
                let len = data.len().min(size);
                buf[..len].copy_from_slice(&data[..len]);
            }
            other => {
                let what = format!("a sector of {size} bytes is stored as {}", describe(other));
                return Err(Error::new(ErrorKind::Corrupt, what).at_sector(sector));
            }
        }
        let null = matches!(row.get_ref(1), Ok(ValueRef::Null));
        if !(null && planted(Fault::ZeroedSectorNotMarked)) {
            marker.set(sector..sector + 1);
        }
        Ok(())
    }
}

impl Layout for Rows {
    fn read(&self, conn: &Connection, range: Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let mut statement = match planted(Fault::ReadLosesRowsAfter128) {
            false => prepare(conn, "SELECT sector, data FROM sectors WHERE sector >= ?1 AND sector < ?2")?,
            true => prepare(conn, "SELECT sector, data FROM sectors WHERE sector >= ?1 AND sector < ?2 LIMIT 128")?,
        };
        let failed = |e| sql_error("reading sectors", e);
        let mut rows = statement.query(params![range.start as i64, range.end as i64]).map_err(failed)?;
        loop {
            let row = match rows.next() {
                Err(_) if planted(Fault::DamageReadsAsAbsent) => break,
                row => row.map_err(failed)?,
            };
            let Some(row) = row else { break };
            self.read_row(row, range.start, buf, marker)?;
            if planted(Fault::ReadStopsAtZeroed) && matches!(row.get_ref(1), Ok(ValueRef::Null)) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, conn: &Connection, range: Range<u64>, data: &[u8]) -> Result<()> {
        let mut statement = match planted(Fault::WriteAfterUnmapLost) {
            false => prepare(conn, "INSERT OR REPLACE INTO sectors (sector, data) VALUES (?1, ?2)")?,
            true => prepare(
                conn,
                "INSERT INTO sectors (sector, data) VALUES (?1, ?2) \
                 ON CONFLICT DO UPDATE SET data = excluded.data WHERE data IS NOT NULL",
            )?,
        };
        for (sector, data) in self.sectors(range, data) {
            if is_zero(data)
                && planted(Fault::ZeroWriteDeletes)
                && execute(&mut prepare(conn, "DELETE FROM sectors WHERE sector = ?1")?, params![sector])? > 0
            {
                continue;
            }
            let data = (!is_zero(data)).then_some(data);
            execute(&mut statement, params![sector, data])?;
        }
        Ok(())
    }

    fn fill(&self, conn: &Connection, range: Range<u64>, data: &[u8]) -> Result<()> {
        let mut statement = match () {
            _ if planted(Fault::FillOverwrites) => {
                prepare(conn, "INSERT OR REPLACE INTO sectors (sector, data) VALUES (?1, ?2)")?
            }
            _ if planted(Fault::FillCoversZeroed) => prepare(
                conn,
                "INSERT INTO sectors (sector, data) VALUES (?1, ?2) \
                 ON CONFLICT DO UPDATE SET data = excluded.data WHERE data IS NULL",
            )?,
            () => prepare(conn, "INSERT OR IGNORE INTO sectors (sector, data) VALUES (?1, ?2)")?,
        };
        for (sector, data) in self.sectors(range, data) {
            execute(&mut statement, params![sector, (!is_zero(data)).then_some(data)])?;
        }
        Ok(())
    }

    fn unmap(&self, conn: &Connection, range: Range<u64>, below: Below) -> Result<()> {
        let end = range.end - u64::from(planted(Fault::UnmapMissesLast) && range.end - range.start > 1);
        let (start, end) = match planted(Fault::UnmapSectorTruncated) {
            false => (range.start, end),
            true => (u64::from(range.start as u32), u64::from(range.start as u32) + (end - range.start)),
        };
        if planted(Fault::UnmapForgets)
            && execute(
                &mut prepare(conn, "DELETE FROM sectors WHERE sector >= ?1 AND sector < ?2")?,
                params![start as i64, end as i64],
            )? > 0
        {
            return Ok(());
        }
        if planted(Fault::UnmapTakenAsDone)
            && prepare(conn, "SELECT 1 FROM sectors WHERE sector = ?1 AND data IS NULL")
                .and_then(|mut s| s.exists(params![start as i64]).map_err(|e| sql_error("looking for zeros", e)))?
        {
            return Ok(());
        }
        let sql = match below {
            Below::Nothing if planted(Fault::ForgetKeepsZeroed) => {
                "DELETE FROM sectors WHERE sector >= ?1 AND sector < ?2 AND data IS NOT NULL"
            }
            Below::Nothing => "DELETE FROM sectors WHERE sector >= ?1 AND sector < ?2",
            Below::Something if planted(Fault::UnmapKeepsData) => {
                "WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < ?2) \
                 INSERT OR IGNORE INTO sectors (sector, data) SELECT n, NULL FROM s"
            }
            Below::Something => {
                "WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < ?2) \
                 INSERT OR REPLACE INTO sectors (sector, data) SELECT n, NULL FROM s"
            }
        };
        execute(&mut prepare(conn, sql)?, params![start as i64, end as i64]).map(drop)
    }

    fn next_extent(&self, conn: &Connection, sector: u64) -> Result<Option<Range<u64>>> {
        let mut statement = prepare(conn, "SELECT sector FROM sectors WHERE sector >= ?1 ORDER BY sector LIMIT ?2")?;
        let failed = |e| sql_error("looking for the next sector", e);
        let mut rows = statement.query(params![sector as i64, EXTENT_ROWS]).map_err(failed)?;
        let mut extent: Option<Range<u64>> = None;
        while let Some(row) = rows.next().map_err(failed)? {
            let at = row.get::<_, i64>(0).map_err(failed)? as u64;
            match &mut extent {
                None => extent = Some(at..at + 1),
                Some(extent) if extent.end == at => extent.end += 1,
                Some(_) => break,
            }
        }
        Ok(extent)
    }

    fn clear(&self, conn: &Connection) -> Result<()> {
        let sql = match planted(Fault::ClearKeepsZeroed) {
            false => "DELETE FROM sectors",
            true => "DELETE FROM sectors WHERE data IS NOT NULL",
        };
        execute(&mut prepare(conn, sql)?, []).map(drop)
    }

    /// SQLite does not undo a statement that damage stops halfway.
    fn undo(&self, _change: Change<'_>) -> Undo {
        Undo::Savepoint
    }
}

fn describe(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(_) | ValueRef::Real(_) => "a number".to_owned(),
        ValueRef::Text(text) => format!("a text of {} bytes", text.len()),
        ValueRef::Blob(data) => format!("a blob of {} bytes", data.len()),
    }
}
