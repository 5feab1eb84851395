//! Incremental I/O on one column of one table: bytes go between SQLite's pages and the caller's buffer, with no copy of
//! the whole value between them (sqlite.org/c3ref/blob_open.html).
//!
//! `rusqlite` has this too, but its handle borrows the connection. Opening one costs more than reading with it, so this
//! one stays open from request to request, beside the connection.
#![allow(unsafe_code, reason = "a handle that outlives a borrow of its connection, and this file's whole purpose")]

use std::ffi::{CStr, c_int};
use std::ptr;

use rusqlite::{Connection, ffi};

use super::database::sql_error;
use crate::error::Result;

/// Whether a handle may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Reading,
    Writing,
}

/// An open handle, on one row at a time.
///
/// While it is open, so is a transaction of its connection. Whoever keeps one drops it before the transaction is to end
/// and before the connection is closed: SQLite keeps a connection that still has a handle, so a late drop is sound too.
pub(super) struct Blob {
    raw: *mut ffi::sqlite3_blob,
    used_for: Use,
}

// SAFETY: a handle is used like its connection: by one thread at a time, which `&mut self` and the lock around the
// session see to. SQLite is built for connections that move between threads (SQLITE_THREADSAFE=1).
unsafe impl Send for Blob {}

impl Blob {
    /// Opens `column` of `table` at `row`; `None` if there is no such row.
    pub(super) fn open(
        conn: &Connection,
        (table, column): (&CStr, &CStr),
        row: i64,
        used_for: Use,
    ) -> Result<Option<Self>> {
        let mut raw = ptr::null_mut();
        let writes = c_int::from(used_for == Use::Writing);
        // SAFETY: the connection is open, the names end with a zero, and `raw` is a place for the handle.
        let code = unsafe {
            let db = conn.handle();
            ffi::sqlite3_blob_open(db, c"main".as_ptr(), table.as_ptr(), column.as_ptr(), row, writes, &raw mut raw)
        };
        match code {
            ffi::SQLITE_OK => Ok(Some(Self { raw, used_for })),
            // "no such rowid"; the table and its column are known to be there.
            ffi::SQLITE_ERROR => Ok(None),
            code => Err(failed("opening a value", code)),
        }
    }

    /// What it may be used for.
    pub(super) fn used_for(&self) -> Use {
        self.used_for
    }

    /// Goes to another row; afterwards the handle is of no use if there is none.
    pub(super) fn seek(&mut self, row: i64) -> Result<bool> {
        // SAFETY: the handle is open.
        match unsafe { ffi::sqlite3_blob_reopen(self.raw, row) } {
            ffi::SQLITE_OK => Ok(true),
            ffi::SQLITE_ERROR => Ok(false),
            code => Err(failed("going to a value", code)),
        }
    }

    /// Bytes of the value.
    pub(super) fn len(&self) -> usize {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_blob_bytes(self.raw) }.unsigned_abs() as usize
    }

    /// Fills `buf` with what lies at `offset`.
    pub(super) fn read(&mut self, buf: &mut [u8], offset: usize) -> Result<()> {
        let (len, offset) = (length(buf.len()), length(offset));
        // SAFETY: the handle is open, and `buf` has room for `len` bytes. SQLite checks the range against the value.
        match unsafe { ffi::sqlite3_blob_read(self.raw, buf.as_mut_ptr().cast(), len, offset) } {
            ffi::SQLITE_OK => Ok(()),
            code => Err(failed("reading a value", code)),
        }
    }

    /// Puts `data` at `offset`.
    pub(super) fn write(&mut self, data: &[u8], offset: usize) -> Result<()> {
        let (len, offset) = (length(data.len()), length(offset));
        // SAFETY: the handle is open, and `data` has `len` bytes. SQLite checks the range against the value.
        match unsafe { ffi::sqlite3_blob_write(self.raw, data.as_ptr().cast(), len, offset) } {
            ffi::SQLITE_OK => Ok(()),
            code => Err(failed("writing a value", code)),
        }
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody has it any more. What closing says of the transaction, its commit says
        // again.
        unsafe { ffi::sqlite3_blob_close(self.raw) };
    }
}

/// A length for SQLite, which refuses what is too long for the value.
fn length(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}

fn failed(context: &str, code: c_int) -> crate::error::Error {
    sql_error(context, rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
}
