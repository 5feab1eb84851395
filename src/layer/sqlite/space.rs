//! Giving pages back that nothing lies on any more.
//!
//! SQLite keeps them for later. Pages at the end of the file are cut off; where pages in use lie behind free ones, those
//! are moved first. That takes time, so it is done only after sectors were unmapped, a bounded part at a time, and
//! never within a request that writes.

use rusqlite::Connection;

use super::database::sql_error;
use crate::error::Result;

/// How many bytes are given back with a flush: some milliseconds, and as much of log where pages are moved.
const WITH_A_FLUSH: i64 = 8 << 20;
/// And when the layer is closed, which may take a moment.
const AT_THE_END: i64 = 128 << 20;
/// So many pages are kept, or one in so many of the file: what is unmapped is often written again.
const KEPT: i64 = 8;
const KEPT_ONE_IN: i64 = 32;

/// When pages are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Flushed,
    Closing,
}

/// Whether there may be pages to give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Free {
    /// Nothing was unmapped.
    #[default]
    Unlikely,
    Likely,
}

/// How many pages are to be given back now; none if there are few that are free.
pub(super) fn to_give_back(conn: &Connection, when: When) -> Result<Option<u32>> {
    let number = |sql| {
        let found = conn.prepare_cached(sql).and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)));
        found.map_err(|e| sql_error("looking for free pages", e))
    };
    let (free, pages) = (number("PRAGMA freelist_count")?, number("PRAGMA page_count")?);
    // Files of format 0 may be of the kind that cannot.
    if free <= KEPT.max(pages / KEPT_ONE_IN) || number("PRAGMA auto_vacuum")? == 0 {
        return Ok(None);
    }
    let most = match when {
        When::Flushed => WITH_A_FLUSH,
        When::Closing => AT_THE_END,
    };
    Ok(Some((most / number("PRAGMA page_size")?) as u32))
}

/// Gives back so many pages if as many are free; it may be worth while to go on later.
///
/// It is a transaction of SQLite's own: whatever becomes of it, every row stays.
pub(super) fn give_back(conn: &Connection, pages: u32) -> Result<Free> {
    // It has a row for each page, and stops when they are not asked for.
    let vacuum = || {
        let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(Free::Likely)
    };
    vacuum().map_err(|e| sql_error("giving space back", e))
}
