//! The seam between a layer and the way its sectors lie in the file; each format is one implementation.

use std::ops::Range;

use rusqlite::{CachedStatement, Connection, Params};

use super::database::sql_error;
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Below, SectorMarker};

/// What undoes a change that failed halfway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// A savepoint around it.
    Savepoint,
    /// Nothing is changed before what is in the way was looked at. What fails later, as on a failing drive, is not undone:
    /// the layer is to be opened again.
    Reopening,
}

/// A change, as far as it matters to what undoes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    Store(&'a Range<u64>),
    Unmap(&'a Range<u64>),
    Clear,
}

impl Change<'_> {
    /// The sectors that it may change.
    pub(super) fn range(&self, geometry: Geometry) -> Range<u64> {
        match self {
            Self::Store(range) | Self::Unmap(range) => (*range).clone(),
            Self::Clear => 0..geometry.sector_count(),
        }
    }
}

/// Sectors in tables. Ranges have been checked and are not empty; a transaction is open for every change.
///
/// What is stored may wait. Who looks through the layout sees it; SQLite does not before it is settled.
pub(super) trait Layout: Send {
    /// Fills and marks the present sectors of `range`.
    fn read(&self, conn: &Connection, range: Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()>;

    /// Stores the sectors of `range`.
    fn write(&self, conn: &Connection, range: Range<u64>, data: &[u8]) -> Result<()>;

    /// Stores the absent ones of the sectors of `range`.
    fn fill(&self, conn: &Connection, range: Range<u64>, data: &[u8]) -> Result<()>;

    /// Remembers zeros in `range`, or forgets it where nothing shows from below.
    fn unmap(&self, conn: &Connection, range: Range<u64>, below: Below) -> Result<()>;

    /// The first run of present sectors at or after `sector`.
    fn next_extent(&self, conn: &Connection, sector: u64) -> Result<Option<Range<u64>>>;

    /// Up to where sectors are known to be zeros from `sector` on.
    fn zeroed_until(&self, _conn: &Connection, sector: u64) -> Result<u64> {
        Ok(sector)
    }

    /// Forgets everything.
    fn clear(&self, conn: &Connection) -> Result<()>;

    /// What undoes a change that fails; it is about to begin.
    fn undo(&self, change: Change<'_>) -> Undo;

    /// Whether the change that is to be undone has changed anything.
    fn has_begun(&self) -> bool {
        true
    }

    /// The clusters that `range` touches, where sectors lie in clusters.
    fn clusters(&self, _range: &Range<u64>) -> Option<Range<u64>> {
        None
    }

    /// Bytes of blocks that hold changes of which SQLite has not been told.
    fn waiting(&self) -> u64 {
        0
    }

    /// Tells SQLite what waits of the sectors of `range`. What fails may be half done, and does not wait any more.
    fn settle(&self, _conn: &Connection, _range: &Range<u64>) -> Result<()> {
        Ok(())
    }

    /// Keeps nothing open that would keep a transaction from ending.
    fn let_go(&self) {}
}

pub(super) fn prepare<'a>(conn: &'a Connection, sql: &str) -> Result<CachedStatement<'a>> {
    conn.prepare_cached(sql).map_err(|e| sql_error("preparing a statement", e))
}

pub(super) fn execute(statement: &mut CachedStatement<'_>, params: impl Params) -> Result<usize> {
    statement.execute(params).map_err(|e| sql_error("changing sectors", e))
}

pub(super) fn is_zero(data: &[u8]) -> bool {
    let data = if planted(Fault::ZeroTestLooksAtHead) { &data[..64] } else { data };
    // Sectors are powers of two; whole words at a time is what the compiler makes quick.
    data.chunks_exact(64).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::layer::sqlite::{Existing, Format, FormatParams, MemoryFile, Options, SqliteDiskLayer};
    use crate::layer::{Durability, LayerIo};

    /// Each page that is changed would be kept once more for every savepoint that is left.
    #[test]
    fn a_savepoint_is_gone_when_its_request_is_done() {
        let format = FormatParams { logically_read_only: false, len: 4096, sector_size: 512 };
        let options = Options { format: Format::Original, ..Options::default() };
        let layer = SqliteDiskLayer::create(MemoryFile::default(), format, Existing::Keep, &options).unwrap();
        layer.write(0, &[7; 1024], Durability::Flushed).unwrap();
        layer
            .with(|session| {
                let connection = session.connection();
                assert!(!connection.is_autocommit(), "the write waits for a flush");
                assert!(connection.execute_batch("RELEASE request").is_err(), "its savepoint is still there");
                Ok(())
            })
            .unwrap();
        layer.close().unwrap();
    }
}
