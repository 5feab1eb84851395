//! Whether a connection still has the file that its path names: the one question to SQLite that takes C.
#![allow(unsafe_code, reason = "one call of C, and this file's whole purpose is to make it")]

use std::ffi::c_int;

use rusqlite::{Connection, ffi};

/// Whether another file has taken the place of the one that is open, as far as the system can tell.
///
/// Its log goes by the name, and so would be the other file's.
pub(super) fn has_moved(conn: &Connection) -> bool {
    let mut moved: c_int = 0;
    // SAFETY: the handle lives as long as `conn`, which no other thread uses meanwhile; a null name is the main
    // database; SQLite writes an `int` to the pointer, or nothing where its VFS does not know the question.
    unsafe {
        let answer = (&raw mut moved).cast();
        ffi::sqlite3_file_control(conn.handle(), std::ptr::null(), ffi::SQLITE_FCNTL_HAS_MOVED, answer);
    }
    moved != 0
}
