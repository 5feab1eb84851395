//! Format 1: a row for each cluster of sectors, and extents of clusters that are zero as a whole.
//!
//! - A cluster's row is its *head* (which sectors are present, which have bytes, where each block's bytes are) and room
//!   for some of its *blocks*; only what has bytes takes room, and room doubles when it must grow.
//! - A block is as long as a page of SQLite's. A page that a row overflows into has four bytes of SQLite's own, so the
//!   last four bytes of a block lie in the head, and the rest fills just one page: a block changes one page, not two.
//! - A cluster has a row, or lies in an extent of `zeros`, or has no sector. What is zero as a whole has no row.
//! - Clusters that are stored whole go to SQLite at once. Parts of them wait for one another (`waiting`).
//!
//! `docs/format.md` is the specification.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::blob::{Blob, Use};
use super::database::sql_error;
use super::layout::{Change, Layout, Undo, execute, is_zero, prepare};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{Below, SectorMarker};

mod bulk;
mod extent;
mod head;
mod row;
mod shape;
mod waiting;
mod whole;
pub(super) mod zeros;

pub(super) use bulk::Bulk;
pub(super) use head::{BLOCKS, Head, LEN, TAIL};
pub(super) use shape::{Shape, bits, runs};
use waiting::{Stored, Waiting};

/// Sectors in rows of `clusters(cluster, data)`, and in the extents of `zeros(start, stop)`.
pub(super) struct Clusters {
    shape: Shape,
    /// Open from request to request, until the transaction that it holds open is to end.
    blob: RefCell<Option<Blob>>,
    waiting: RefCell<Waiting>,
    /// Whether the change at hand has changed anything.
    has_begun: Cell<bool>,
}

/// What becomes of sectors.
#[derive(Clone, Copy)]
enum Patch<'a> {
    /// They get the bytes of a buffer, whose first sector is this one of the cluster.
    Bytes(&'a [u8], u64),
    Zeros,
    Absent,
}

/// Which sectors a patch changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    All,
    AbsentOnly,
}

/// What is known of a cluster before it is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    NoRow,
}

impl Clusters {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, blob: RefCell::default(), waiting: RefCell::default(), has_begun: Cell::new(false) }
    }

    /// Does `work` with the row of a cluster; `None` if it has none.
    fn at_row<R>(
        &self,
        conn: &Connection,
        cluster: u64,
        used_for: Use,
        work: impl FnOnce(&mut Blob) -> Result<R>,
    ) -> Result<Option<R>> {
        let mut kept = self.blob.borrow_mut();
        let found = match kept.as_mut() {
            Some(blob) if blob.used_for() == Use::Writing || used_for == Use::Reading => {
                blob.seek(cluster as i64).map(|found| found.then_some(()))
            }
            _ => {
                *kept = None;
                let opened = Blob::open(conn, (c"clusters", c"data"), cluster as i64, used_for);
                opened.map(|opened| opened.map(|blob| *kept = Some(blob)))
            }
        };
        match (found, kept.as_mut()) {
            (Ok(Some(())), Some(blob)) => work(blob).map(Some),
            (result, _) => {
                *kept = None;
                result?;
                drop(kept);
                self.expect_no_row(conn, cluster).map(|()| None)
            }
        }
    }

    /// SQLite says that there is no such row of one whose value is no blob, too.
    fn expect_no_row(&self, conn: &Connection, cluster: u64) -> Result<()> {
        let mut statement = prepare(conn, "SELECT 1 FROM clusters WHERE cluster = ?1")?;
        match statement.exists(params![cluster as i64]).map_err(|e| sql_error("looking for a cluster", e))? {
            false => Ok(()),
            true => Err(self.damaged(cluster, "its value is no blob")),
        }
    }

    /// The head of the row that `blob` is at, and for how many blocks the row has room.
    fn head(&self, blob: &mut Blob, cluster: u64) -> Result<(Head, usize)> {
        let room = self.shape.room(blob.len()).ok_or_else(|| {
            self.damaged(cluster, &format!("it is stored in {} bytes, which is no length of a row", blob.len()))
        })?;
        let mut bytes = [0; LEN];
        blob.read(&mut bytes, 0)?;
        let head = Head::decode(&bytes);
        match head.is_sound(&self.shape, self.shape.sectors(cluster), room) {
            true => Ok((head, room)),
            false => Err(self.damaged(cluster, "its head contradicts itself")),
        }
    }

    fn damaged(&self, cluster: u64, what: &str) -> Error {
        Error::new(ErrorKind::Corrupt, format!("cluster {cluster} is damaged: {what}"))
            .at_sector(self.shape.first_sector(cluster))
    }

    /// The clusters of `range` that have rows.
    fn rows(&self, conn: &Connection, range: &Range<u64>) -> Result<Vec<u64>> {
        let failed = |e| sql_error("looking for clusters", e);
        let mut statement = prepare(conn, "SELECT cluster FROM clusters WHERE cluster >= ?1 AND cluster < ?2")?;
        let rows = statement
            .query_map(params![range.start as i64, range.end as i64], |row| row.get::<_, i64>(0))
            .map_err(failed)?;
        let rows: Vec<u64> =
            rows.map(|row| row.map(|row| row as u64)).collect::<rusqlite::Result<_>>().map_err(failed)?;
        // SQLite looks for the first of them, and takes what follows.
        let is_first = rows.first().is_none_or(|first| *first >= range.start);
        match is_first && rows.is_sorted_by(|one, next| one < next) {
            true => Ok(rows),
            false => Err(self.damaged(range.start, "rows are out of order from there on")),
        }
    }

    /// What a cluster is for which nothing waits.
    fn look(&self, conn: &Connection, cluster: u64) -> Result<Stored> {
        let row = self.at_row(conn, cluster, Use::Writing, |blob| self.head(blob, cluster))?;
        if let Some((head, _)) = row {
            let placed = (0..self.shape.blocks()).filter(|block| head.places[*block] > 0);
            let blocks = placed.fold(0, |blocks, block| blocks | 1 << block);
            return Ok(Stored { known: Known::Nothing, present: head.present, blocks, is_read: false });
        }
        let is_zeroed = !zeros::within(conn, cluster..cluster + 1)?.is_empty();
        let present = if is_zeroed { self.shape.sectors(cluster) } else { 0 };
        Ok(Stored { known: Known::NoRow, present, blocks: 0, is_read: true })
    }

    /// Whether the row may get another length when it gets these sectors: `data` begins with the first of them.
    fn may_move(&self, stored: &Stored, part: &Range<u64>, data: &[u8]) -> bool {
        let len = (part.end - part.start) as usize * self.shape.sector_size();
        self.shape.blocks_of(part).any(|(block, _)| stored.blocks & 1 << block == 0)
            || data[..len].chunks_exact(self.shape.sector_size()).any(is_zero)
    }

    /// Reads a row that is to be moved: what is damaged of it is in the way now, and not when others wait with it.
    fn read_through(&self, conn: &Connection, cluster: u64) -> Result<()> {
        let read = |blob: &mut Blob| blob.read(&mut vec![0; blob.len()], 0);
        self.at_row(conn, cluster, Use::Writing, read).map(drop)
    }

    /// Stores the sectors of `range` in every cluster that it touches; `data` begins at its start.
    fn store(&self, conn: &Connection, range: &Range<u64>, data: &[u8], over: Over) -> Result<()> {
        let (touched, whole) = (self.shape.touched(range), self.shape.covered(range));
        let waits = |cluster: &u64| self.waiting.borrow().get(*cluster).is_some();
        let data_of = |cluster: u64, part: &Range<u64>| {
            let sector = self.shape.first_sector(cluster) + part.start;
            &data[(sector - range.start) as usize * self.shape.sector_size()..]
        };
        // Nothing is changed if something is damaged.
        let mut parts = Vec::new();
        for cluster in touched.filter(|cluster| !whole.contains(cluster) || waits(cluster)) {
            let known = self.waiting.borrow().get(cluster).map(|part| part.stored);
            let mut stored = known.map_or_else(|| self.look(conn, cluster), Ok)?;
            let part = self.shape.part(range, cluster);
            if !stored.is_read && self.may_move(&stored, &part, data_of(cluster, &part)) {
                self.read_through(conn, cluster)?;
                stored.is_read = true;
            }
            parts.push((cluster, stored));
        }
        let rows = match whole.end - whole.start {
            0 | 1 => None,
            _ => Some(self.rows(conn, &whole)?),
        };
        for &cluster in rows.iter().flatten() {
            self.at_row(conn, cluster, Use::Writing, |blob| self.head(blob, cluster))?;
        }
        for cluster in whole.filter(|cluster| !waits(cluster)) {
            let known = match &rows {
                Some(rows) if rows.binary_search(&cluster).is_err() => Known::NoRow,
                _ => Known::Nothing,
            };
            let part = self.shape.part(range, cluster);
            let patch = Patch::Bytes(data_of(cluster, &part), part.start);
            self.patch(conn, cluster, known, bits(part), over, patch)?;
        }
        let mut waiting = self.waiting.borrow_mut();
        for (cluster, stored) in parts {
            let waits = waiting.get(cluster).map_or(0, |part| part.sectors);
            let covered = match over {
                Over::All => 0,
                Over::AbsentOnly if planted(Fault::FillCoversZeroedCluster) && stored.known == Known::NoRow => 0,
                Over::AbsentOnly if planted(Fault::FillReplacesWaiting) => stored.present,
                Over::AbsentOnly => stored.present | waits,
            };
            let part = self.shape.part(range, cluster);
            let (mask, data) = (bits(part.clone()) & !covered, data_of(cluster, &part));
            waiting.put(&self.shape, (cluster, stored), mask, (data, part.start));
        }
        Ok(())
    }

    /// Fills and marks what rows and extents of zeros have of `range`.
    fn read_stored(
        &self,
        conn: &Connection,
        range: &Range<u64>,
        buf: &mut [u8],
        marker: &mut SectorMarker,
    ) -> Result<()> {
        let touched = self.shape.touched(range);
        if touched.end - touched.start == 1 {
            if !self.read_row(conn, touched.start, range, buf, marker)? {
                self.read_zeros(conn, touched, range, buf, marker)?;
            }
            return Ok(());
        }
        let mut next = touched.start;
        for cluster in self.rows(conn, &touched)? {
            if next < cluster {
                self.read_zeros(conn, next..cluster, range, buf, marker)?;
            }
            if !self.read_row(conn, cluster, range, buf, marker)? {
                return Err(self.damaged(cluster, "its row is found by its number only"));
            }
            next = cluster + 1;
        }
        match next < touched.end {
            true => self.read_zeros(conn, next..touched.end, range, buf, marker),
            false => Ok(()),
        }
    }
}

impl Layout for Clusters {
    fn read(&self, conn: &Connection, range: Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let waiting = self.waiting.borrow();
        if !waiting.has_all(&self.shape, &range) {
            self.read_stored(conn, &range, buf, marker)?;
        }
        waiting.read(&self.shape, &range, buf, marker);
        Ok(())
    }

    fn write(&self, conn: &Connection, range: Range<u64>, data: &[u8]) -> Result<()> {
        self.store(conn, &range, data, Over::All)
    }

    fn fill(&self, conn: &Connection, range: Range<u64>, data: &[u8]) -> Result<()> {
        self.store(conn, &range, data, Over::AbsentOnly)
    }

    fn unmap(&self, conn: &Connection, range: Range<u64>, below: Below) -> Result<()> {
        let missed = u64::from(planted(Fault::UnmapMissesLast) && range.end - range.start > 1);
        let range = range.start..range.end - missed;
        let patch = match below {
            Below::Something => Patch::Zeros,
            Below::Nothing => Patch::Absent,
        };
        let (touched, whole) = (self.shape.touched(&range), self.shape.covered(&range));
        let last = (touched.end - touched.start > 1).then_some(touched.end - 1);
        let last = last.filter(|_| !planted(Fault::UnmapForgetsRightEdge) || whole.is_empty());
        for cluster in [Some(touched.start), last].into_iter().flatten().filter(|cluster| !whole.contains(cluster)) {
            self.patch(conn, cluster, Known::Nothing, bits(self.shape.part(&range, cluster)), Over::All, patch)?;
        }
        if whole.is_empty() {
            return Ok(());
        }
        let mut delete = prepare(conn, "DELETE FROM clusters WHERE cluster >= ?1 AND cluster < ?2")?;
        execute(&mut delete, params![whole.start as i64, whole.end as i64])?;
        match below {
            Below::Something => zeros::add(conn, whole),
            Below::Nothing => zeros::remove(conn, whole),
        }
    }

    fn next_extent(&self, conn: &Connection, sector: u64) -> Result<Option<Range<u64>>> {
        self.next_present(conn, sector)
    }

    fn zeroed_until(&self, conn: &Connection, sector: u64) -> Result<u64> {
        let cluster = self.shape.cluster_of(sector);
        let covers = |extent: &Range<u64>| extent.start <= cluster || planted(Fault::NextZerosTakenForThese);
        let extent = zeros::next(conn, cluster)?.filter(covers);
        let until = extent.map_or(sector, |extent| self.shape.sectors_of(&extent).end);
        let written = self.waiting.borrow().next(cluster).map_or(u64::MAX, |next| self.shape.first_sector(next));
        Ok(until.min(written).max(sector))
    }

    fn clear(&self, conn: &Connection) -> Result<()> {
        execute(&mut prepare(conn, "DELETE FROM clusters")?, [])?;
        if planted(Fault::ClearKeepsExtents) {
            return Ok(());
        }
        execute(&mut prepare(conn, "DELETE FROM zeros")?, []).map(drop)
    }

    fn undo(&self, change: Change<'_>) -> Undo {
        self.has_begun.set(false);
        match change {
            Change::Store(_) => Undo::Reopening,
            Change::Unmap(range) => {
                let touched = self.shape.touched(range);
                if touched.end - touched.start == 1 { Undo::Reopening } else { Undo::Savepoint }
            }
            Change::Clear => Undo::Savepoint,
        }
    }

    fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    fn clusters(&self, range: &Range<u64>) -> Option<Range<u64>> {
        Some(self.shape.touched(range))
    }

    fn waiting(&self) -> u64 {
        self.waiting.borrow().len() as u64
    }

    fn settle(&self, conn: &Connection, range: &Range<u64>) -> Result<()> {
        let clusters = self.shape.touched(range);
        let mut bytes = std::mem::take(&mut self.waiting.borrow_mut().room);
        bytes.resize(self.shape.blocks() * self.shape.block_size(), 0);
        loop {
            let first = self.waiting.borrow_mut().take_first(&self.shape, clusters.clone());
            let Some((cluster, part)) = first else { break };
            part.lay_out(&mut bytes, &self.shape);
            self.patch(
                conn,
                cluster,
                part.stored.known,
                part.sectors(&self.shape),
                Over::All,
                Patch::Bytes(&bytes, 0),
            )?;
        }
        self.waiting.borrow_mut().room = bytes;
        Ok(())
    }

    fn let_go(&self) {
        self.blob.replace(None);
    }
}
