//! The seam between a layer and the way its sectors lie in the file; each format is one implementation.

use std::ops::Range;

use rusqlite::Connection;

use crate::error::Result;
use crate::layer::{Below, SectorMarker};

/// How many statements a change takes; several need a savepoint around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statements {
    One,
    Several,
}

/// Sectors in tables. Ranges have been checked and are not empty; a transaction is open for every change.
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

    /// Forgets everything.
    fn clear(&self, conn: &Connection) -> Result<()>;

    /// The statements that a write of `range` takes.
    fn statements(&self, range: &Range<u64>) -> Statements;
}
