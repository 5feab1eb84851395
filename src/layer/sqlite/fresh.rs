//! What a new file has in it, made without a connection to the file.
//!
//! To open a database, to make tables and to close it again is most of the work of making a layer. So the empty tables
//! are made once, in memory, for each format and size of pages; a new layer adds its rows, its pages are taken as they
//! are then, and the rows are undone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, MAIN_DB};

use super::connect::STATEMENTS;
use super::database::sql_error;
use super::format::Format;
use super::schema::{self, Lineage, Meta};
use crate::error::Result;

/// So many databases with empty tables are kept at most, of a few pages each.
const KEPT: usize = 8;

static EMPTY: Mutex<Vec<Empty>> = Mutex::new(Vec::new());

/// A database in memory that has the tables of a layer, and no row.
struct Empty {
    conn: Connection,
    shape: (Format, Option<u32>),
}

fn kept() -> MutexGuard<'static, Vec<Empty>> {
    EMPTY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of the file of a new layer, which has its log.
///
/// # Errors
///
/// Those of SQLite, which lacks memory then.
pub(super) fn image(meta: &Meta, lineage: impl FnOnce(&Connection) -> Result<Lineage>) -> Result<Vec<u8>> {
    let mut empty = Empty::take(meta)?;
    let lineage = lineage(&empty.conn)?;
    let image = empty.with_rows(meta, &lineage)?;
    let mut kept = kept();
    if kept.len() < KEPT {
        kept.push(empty);
    }
    Ok(image)
}

impl Empty {
    /// One that is kept, for as long as nobody else needs it, or a new one.
    fn take(meta: &Meta) -> Result<Self> {
        let shape = meta.shape();
        let mut kept = kept();
        if let Some(index) = kept.iter().position(|empty| empty.shape == shape) {
            return Ok(kept.swap_remove(index));
        }
        drop(kept);
        let failed = |e| sql_error("making the tables", e);
        let conn = Connection::open_in_memory().map_err(failed)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        meta.shape_pages(&conn)?;
        conn.execute_batch("BEGIN").map_err(failed)?;
        schema::make_tables(&conn, shape.0)?;
        conn.execute_batch("COMMIT").map_err(failed)?;
        Ok(Self { conn, shape })
    }

    fn with_rows(&mut self, meta: &Meta, lineage: &Lineage) -> Result<Vec<u8>> {
        self.run("BEGIN")?;
        schema::write_rows(&self.conn, meta, lineage)?;
        let mut image = self.conn.serialize(MAIN_DB).map_err(|e| sql_error("taking the pages", e))?.to_vec();
        self.run("ROLLBACK")?;
        finish(&mut image);
        Ok(image)
    }

    fn run(&self, sql: &str) -> Result<()> {
        let run = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        run.map(drop).map_err(|e| sql_error("making the rows", e))
    }
}

/// What SQLite writes into the header of a file and not of a database in memory: that it keeps a log, that it was changed
/// once, and by which version.
fn finish(image: &mut [u8]) {
    image[18..20].copy_from_slice(&[2, 2]);
    image[24..28].copy_from_slice(&1_u32.to_be_bytes());
    image[92..96].copy_from_slice(&1_u32.to_be_bytes());
    image[96..100].copy_from_slice(&rusqlite::ffi::SQLITE_VERSION_NUMBER.to_be_bytes());
}
