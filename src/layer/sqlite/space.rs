//! Giving pages back that nothing lies on any more.
//!
//! SQLite keeps them for later. Pages at the end of the file are cut off; where pages in use lie behind free ones, those
//! are moved first. That takes time, so it is done only after sectors were unmapped, a bounded part at a time, and
//! never within a request that writes.
//!
//! A page that is given back alone is looked for in the list of all that are free, of which one page names about a
//! thousand: what a part costs is the product of both. All of them at once need no search, but where a page in use is to
//! be moved, SQLite takes free ones from the list, and writes to them, until one of them lies where it wants it.

use rusqlite::Connection;

use super::database::sql_error;
use super::header::Header;
use crate::error::Result;

/// How much is done with a flush, and when the layer is closed, which may take a moment.
const WITH_A_FLUSH: Effort = Effort { bytes: 1 << 20, looks: 4 << 10, in_use: 0 };
const AT_THE_END: Effort = Effort { bytes: 128 << 20, looks: 2 << 20, in_use: 32 << 20 };
/// More pages than these are not given back at once: it takes a second for about two million.
const MOST: i64 = 8 << 20;
/// So many pages are kept, or one in so many of the file: what is unmapped is often written again.
const KEPT: i64 = 8;
const KEPT_ONE_IN: i64 = 32;

struct Effort {
    /// So many are given back one by one, and so many are written to the log at most.
    bytes: i64,
    /// So many pages of the list are looked at for that, some thousand a millisecond.
    looks: i64,
    /// All are given back at once if no more than this is in use.
    in_use: i64,
}

impl Effort {
    /// How many pages of that size are given back one by one, with so many that are free.
    fn pages(&self, size: i64, free: i64) -> u32 {
        let list = free / (size / 4) + 1;
        (self.bytes / size).min(self.looks / list).max(1) as u32
    }
}

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

/// How many pages are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Pages(u32),
    All,
}

/// How many pages are to be given back now; none if there are few that are free.
pub(super) fn to_give_back(conn: &Connection, when: When) -> Result<Option<Amount>> {
    let (free, pages) = (number(conn, "PRAGMA freelist_count")?, number(conn, "PRAGMA page_count")?);
    // Files of format 0 may be of the kind that cannot.
    if free <= KEPT.max(pages / KEPT_ONE_IN) || number(conn, MODE)? == 0 {
        return Ok(None);
    }
    let effort = match when {
        When::Flushed => WITH_A_FLUSH,
        When::Closing => AT_THE_END,
    };
    let (size, in_use) = (number(conn, "PRAGMA page_size")?, pages - free);
    let is_little = free <= MOST && in_use <= effort.in_use / size;
    if is_little && (free <= effort.bytes / size || lie_behind(conn, size)?) {
        return Ok(Some(Amount::All));
    }
    Ok(Some(Amount::Pages(effort.pages(size, free))))
}

const MODE: &str = "PRAGMA auto_vacuum";

/// Whether all free pages lie behind those in use. Between these lie SQLite's own maps, one for each so many pages, from
/// the second page on (sqlite.org/fileformat.html, "Pointer Map or Ptrmap Pages").
fn lie_behind(conn: &Connection, page_size: i64) -> Result<bool> {
    let mapped = page_size / 5 + 1;
    let holes = format!("SELECT max(pageno) - count(*) - 1 - (max(pageno) - 2) / {mapped} FROM dbstat");
    Ok(number(conn, &holes)? == 0)
}

fn number(conn: &Connection, sql: &str) -> Result<i64> {
    let found = conn.prepare_cached(sql).and_then(|mut s| s.query_row([], |row| row.get(0)));
    found.map_err(|e| sql_error("looking for free pages", e))
}

/// Gives back so many pages if as many are free; it may be worth while to go on later.
///
/// It is a transaction of SQLite's own: whatever becomes of it, every row stays.
pub(super) fn give_back(conn: &Connection, amount: Amount) -> Result<Free> {
    let given = match amount {
        Amount::Pages(pages) => some(conn, pages),
        Amount::All => all(conn),
    };
    given.map_err(|e| sql_error("giving space back", e))
}

fn some(conn: &Connection, pages: u32) -> rusqlite::Result<Free> {
    // It has a row for each page, and stops when they are not asked for.
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(Free::Likely)
}

/// A database that gives back with every commit does it in this one.
fn all(conn: &Connection) -> rusqlite::Result<Free> {
    let given = conn.execute_batch("BEGIN IMMEDIATE; PRAGMA auto_vacuum=FULL; COMMIT");
    if given.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    given.and_then(|()| conn.execute_batch(BY_PARTS)).map(|()| Free::Unlikely)
}

/// Who was killed while all was given back left a file that does so with every commit, however much that is. Says whether
/// this is one; it is none any more.
pub(super) fn by_parts(conn: &Connection, header: Option<Header>) -> Result<bool> {
    let with_every_commit = match header {
        Some(header) => header.gives_back_with_every_commit(),
        None => number(conn, MODE)? == 1,
    };
    if with_every_commit {
        conn.execute_batch(BY_PARTS).map_err(|e| sql_error("giving space back by parts", e))?;
    }
    Ok(with_every_commit)
}

const BY_PARTS: &str = "PRAGMA auto_vacuum=INCREMENTAL";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Of a database with so many pages that have been used, and are free.
    fn to_give_back_of(auto_vacuum: &str, free: u32, when: When) -> Option<Amount> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(&format!(
            "PRAGMA page_size = 4096; PRAGMA auto_vacuum = {auto_vacuum}; CREATE TABLE some(thing); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
             INSERT INTO some SELECT zeroblob(4000) FROM n; DELETE FROM some WHERE rowid <= {free}"
        ))
        .unwrap();
        to_give_back(&conn, when).unwrap()
    }

    #[test]
    fn a_few_free_pages_are_kept_and_so_are_all_of_a_file_that_cannot_give_them_back() {
        for (when, amount) in [(When::Flushed, Amount::Pages((1 << 20) / 4096)), (When::Closing, Amount::All)] {
            assert_eq!(to_give_back_of("INCREMENTAL", 4, when), None);
            assert_eq!(to_give_back_of("INCREMENTAL", 30, when), Some(amount));
            assert_eq!(to_give_back_of("NONE", 30, when), None);
        }
    }

    #[test]
    fn a_list_of_many_pages_is_looked_through_as_often_as_there_is_time() {
        let free = [1000, 100_000, 10_000_000];
        assert_eq!(free.map(|free| WITH_A_FLUSH.pages(4096, free)), [256, 41, 1]);
        assert_eq!(free.map(|free| AT_THE_END.pages(4096, free)), [32768, 21399, 214]);
    }
}
