//! Whether the pages of a file fit together, as far as that can be told while somebody waits for it to open.
//!
//! SQLite reads by the keys: a page that lost some, or has them out of order, lacks sectors without any error. Only a
//! look at every page tells. Small files get it whenever they are opened; a large one would take longer than a second,
//! so its damage is found by `check`, or met as an error where SQLite notices.

use rusqlite::Connection;

use super::database::sql_error;
use super::schema::corrupt;
use crate::error::Result;
use crate::fault::{Fault, planted};

/// The largest file that is looked at whole, in bytes.
const LOOKED_AT: i64 = 8 << 20;

/// Refuses a small file whose pages do not fit together.
///
/// # Errors
///
/// `Corrupt`, with what SQLite says of the first misfit.
pub(super) fn check(conn: &Connection) -> Result<()> {
    let failed = |e| sql_error("looking at the pages", e);
    let number = |sql| conn.prepare_cached(sql).and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)));
    let pages = number("PRAGMA page_count").map_err(failed)?;
    let page_size = number("PRAGMA page_size").map_err(failed)?;
    if pages.saturating_mul(page_size) > LOOKED_AT || planted(Fault::StructureUnchecked) {
        return Ok(());
    }
    let misfit: String = conn
        .prepare_cached("PRAGMA quick_check(1)")
        .and_then(|mut check| check.query_row([], |row| row.get(0)))
        .map_err(failed)?;
    match misfit.as_str() {
        "ok" => Ok(()),
        misfit => Err(corrupt(misfit.trim_start_matches("*** in database main ***").trim())),
    }
}
