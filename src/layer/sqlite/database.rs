//! An open database: what has to be told to SQLite before it is changed, and what SQLite's failures are called.

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, MAIN_DB};

use super::checkpoint::Whole;
use super::connect::{connect_file, count_pages, look};
use super::door::Door;
use super::gate::{Anchor, Gate};
use super::{Location, MemoryFile, Mode, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{Hold, Wanted};

/// An open database, and where it goes when it is closed.
pub(super) struct Database {
    pub(super) conn: Connection,
    home: Option<MemoryFile>,
    /// Through which the file is open, if it is open to be written, and where it is.
    door: Option<Arc<Door>>,
    /// Let go of last: that ends SQLite's locks too.
    _hold: Hold,
}

/// What lies in the log of a file that is about to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Not a byte, and the file has its log already: who left it so has synced the file.
    Nothing,
    /// What a killed process may have left, or nobody has looked.
    Something,
}

impl Database {
    /// Connects to what is there, locked as `mode` asks, and changes nothing.
    pub(super) fn connect(location: &Location, mode: Mode, options: &Options) -> Result<Self> {
        let files = &*options.file_system;
        match location {
            Location::Memory(file) => {
                let conn =
                    file.take()?.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("opening {location}")))?;
                Ok(Self { conn, home: Some(file.clone()), door: None, _hold: Hold::none() })
            }
            Location::File(path) => {
                look(path, files)?;
                if planted(Fault::LogDeletedAtOpen) && mode == Mode::ReadWrite {
                    let mut log = path.clone().into_os_string();
                    log.push("-wal");
                    let _ = files.remove(Path::new(&log));
                }
                let wanted = if mode == Mode::ReadWrite { Wanted::Writing } else { Wanted::Reading };
                let held = |_| Error::new(ErrorKind::Busy, format!("opening {location}"));
                let hold = files.hold(path, wanted).map_err(held)?;
                let (conn, gate) = connect_file(path, mode, options)?;
                let door = Door::to(path, gate, options);
                Ok(Self { conn, home: None, door: Some(Arc::new(door)), _hold: hold })
            }
        }
    }

    /// The file itself, if it is open to be written.
    pub(super) fn file(&self) -> Option<Arc<Anchor>> {
        self.door.as_ref().and_then(|door| door.file())
    }

    /// Whether the file has to be opened anew before anything can be read.
    pub(super) fn is_broken(&self) -> bool {
        self.door.as_ref().is_some_and(|door| door.is_broken())
    }

    /// The gate through which the file is open to be written.
    pub(super) fn gate(&self) -> Option<&Gate> {
        self.door.as_ref()?.gate()
    }

    /// The way to the file, if it is in one.
    pub(super) fn door(&self) -> Option<Arc<Door>> {
        self.door.clone()
    }

    /// The database is a disk layer: work on it may take as long as it takes. Conditions of a stranger are kept; SQLite
    /// runs no query and only harmless functions in them.
    pub(super) fn unbound(&mut self) -> Result<()> {
        let unbounded = self.conn.progress_handler(0, None::<fn() -> bool>);
        unbounded.map_err(|e| sql_error("taking over the file", e))
    }

    /// The database is a disk layer and may be changed from now on.
    ///
    /// Says whether all of the log lies in the file then.
    pub(super) fn accept(&self, mode: Mode, left: Left) -> Result<Whole> {
        if self.home.is_some() || mode == Mode::ReadOnly || self.is_readonly() {
            return Ok(Whole::No);
        }
        let failed = |e| sql_error("taking over the file", e);
        self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
        let journal = if planted(Fault::JournalInMemory) { "MEMORY" } else { "WAL" };
        if left == Left::Something || journal != "WAL" {
            self.conn.pragma_update(None, "journal_mode", journal).map_err(failed)?;
        }
        let synchronous = match () {
            () if planted(Fault::SynchronousOff) => "OFF",
            () if planted(Fault::SynchronousNormal) => "NORMAL",
            () => "FULL",
        };
        self.conn.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
        if left == Left::Nothing {
            return Ok(Whole::Yes);
        }
        // A file that had its pages looked at and got its log just now keeps a read transaction until the next
        // statement (SQLite 3.54), and would refuse the checkpoint.
        count_pages(&self.conn).map_err(failed)?;
        if planted(Fault::LogTrustedAtOpen) {
            return Ok(Whole::No);
        }
        // What a killed process left in the log may never have been synced: only a checkpoint makes it durable, and
        // without it a flush with nothing to do would promise too much.
        self.empty_log()
    }

    /// Copies all of the log into the file, and leaves not a byte of it.
    pub(super) fn empty_log(&self) -> Result<Whole> {
        let emptied = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], Whole::of);
        emptied.map_err(|e| sql_error("copying the log into the file", e))
    }

    /// Keeps at most about so many bytes of pages in memory.
    pub(super) fn limit_cache(&self, bytes: u64) -> Result<()> {
        let kib = i64::try_from(bytes / 1024).unwrap_or(i64::MAX).max(1);
        let limited = self.conn.pragma_update(None, "cache_size", -kib);
        // What a savepoint may have to put back would go to a temporary file.
        let limited = limited.and_then(|()| self.conn.pragma_update(None, "temp_store", "MEMORY"));
        limited.map_err(|e| sql_error("limiting the cache", e))
    }

    /// Reads up to so many bytes of the file through a mapping; a new connection reads none.
    pub(super) fn map(&self, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.conn.pragma_update(None, "mmap_size", bytes).map_err(|e| sql_error("mapping the file", e))
    }

    /// Closing leaves the log alone: it goes by the file's name, which may be another file's by then.
    pub(super) fn keep_log(&self) -> Result<()> {
        self.conn
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map(drop)
            .map_err(|e| sql_error("letting go of the old file", e))
    }

    /// Whether the file cannot be written to.
    pub(super) fn is_readonly(&self) -> bool {
        self.conn.is_readonly(MAIN_DB).unwrap_or(true)
    }

    /// Lets go of the file, without what is not committed; a database in memory goes back to its place.
    pub(super) fn close(self) -> Result<()> {
        match self.home {
            Some(home) => {
                let undone = if self.conn.is_autocommit() { Ok(()) } else { self.conn.execute_batch("ROLLBACK") };
                home.put_back(self.conn);
                undone.map_err(|e| sql_error("undoing what is not committed", e))
            }
            None => self.conn.close().map_err(|(_, e)| sql_error("closing the file", e)),
        }
    }
}

/// SQLite's code for a read past the end.
const SHORT_READ: i32 = 522;

/// A failure of SQLite, in the crate's terms.
pub(super) fn sql_error(context: &str, error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        // A file that ends before a page does: nothing failed, the bytes are not there.
        _ if error.sqlite_error().is_some_and(|e| e.extended_code == SHORT_READ) => ErrorKind::Corrupt,
        // Nobody makes hundreds of tables in a disk layer.
        Some(ErrorCode::OperationAborted) if error.to_string().contains("too many schema objects") => {
            ErrorKind::NotADisk
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::NotADatabase) => ErrorKind::NotADisk,
        // Our statements are right, so what SQLite calls an error in them is a file that they do not fit.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => ErrorKind::Corrupt,
        // What exceeds our limits, or makes a look at a file endless, no program of ours has written.
        Some(ErrorCode::TooBig | ErrorCode::OperationInterrupted) => ErrorKind::Corrupt,
        Some(ErrorCode::DiskFull) => ErrorKind::NoSpace,
        Some(ErrorCode::PermissionDenied) => ErrorKind::PermissionDenied,
        Some(_) => ErrorKind::Io,
        // Not SQLite's refusal but ours: a value of another type than the format has.
        None => ErrorKind::Corrupt,
    };
    Error::new(kind, context).because(error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_sqlite_has_the_kind_of_its_cause() {
        let kind = |code| sql_error("", rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).kind();
        // SQLITE_PERM, BUSY, FULL and CANTOPEN.
        let kinds = [ErrorKind::PermissionDenied, ErrorKind::Busy, ErrorKind::NoSpace, ErrorKind::Io];
        assert_eq!([3, 5, 13, 14].map(kind), kinds);
    }

    #[test]
    fn a_cache_keeps_as_many_bytes_as_it_may() {
        let database =
            Database { conn: Connection::open_in_memory().unwrap(), home: None, door: None, _hold: Hold::none() };
        let kib_of = |bytes| {
            database.limit_cache(bytes).unwrap();
            -database.conn.query_row("PRAGMA cache_size", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!([0, 2047, 5 << 20].map(kib_of), [1, 1, 5 << 10]);
    }
}
