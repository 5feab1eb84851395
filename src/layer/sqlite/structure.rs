//! Whether the pages of a file fit together, as far as that can be told while somebody waits for it to open.
//!
//! SQLite reads by the keys: a page that lost some, or has them out of order, lacks sectors without any error. Only a
//! look at every page tells. Small files get it whenever they are opened; a large one would take longer than a second,
//! so its damage is found by `check`, or met as an error where SQLite notices.

use std::path::Path;

use rusqlite::Connection;

use super::database::sql_error;
use super::schema::corrupt;
use super::{journal, log};
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::layer::FileSystem;

/// The largest file that is looked at whole, in bytes.
pub(super) const LOOKED_AT: u64 = 8 << 20;

/// Refuses a file that ends before its pages do, and a small one whose pages do not fit together.
///
/// # Errors
///
/// `Corrupt`, with what SQLite says of the first misfit.
pub(super) fn check(conn: &Connection, path: &Path, files: &dyn FileSystem) -> Result<()> {
    let number = |sql| {
        let found = conn.prepare_cached(sql).and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)));
        found.map(|number| number as u64).map_err(|e| sql_error("looking at the pages", e))
    };
    let (pages, page_size) = (number("PRAGMA page_count")?, number("PRAGMA page_size")?);
    if !planted(Fault::LengthUnchecked) {
        check_length(pages, page_size, path, files)?;
    }
    match pages.saturating_mul(page_size) > LOOKED_AT || planted(Fault::StructureUnchecked) {
        true => Ok(()),
        false => fits(conn),
    }
}

/// What lies past the end reads as zeros for SQLite, and a sector that was there would too.
fn check_length(pages: u64, page_size: u64, path: &Path, files: &dyn FileSystem) -> Result<()> {
    let there = journal::len_of(path, files)? / page_size.max(1);
    if pages <= there {
        return Ok(());
    }
    // A log that has not been folded in has the pages that the file has not.
    let log = journal::read(&journal::beside(path, "-wal", files), files)?;
    let in_log = log::committed_pages(&log).range(there + 1..=pages).count() as u64;
    match there + in_log == pages {
        true => Ok(()),
        false => Err(corrupt(&format!("it has {there} of its {pages} pages, and its log has {in_log} of the rest"))),
    }
}

/// Asks SQLite to look at every page.
pub(super) fn fits(conn: &Connection) -> Result<()> {
    let misfit: String = conn
        .prepare_cached("PRAGMA quick_check(1)")
        .and_then(|mut check| check.query_row([], |row| row.get(0)))
        .map_err(|e| sql_error("looking at the pages", e))?;
    match misfit.as_str() {
        "ok" => Ok(()),
        misfit => Err(corrupt(misfit.trim_start_matches("*** in database main ***").trim())),
    }
}
