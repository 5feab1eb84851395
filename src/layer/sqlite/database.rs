//! Connections: how the file is opened, locked, and looked at before anything is touched.

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::checkpoint::Whole;
use super::door::Door;
use super::gate::{Anchor, Gate};
use super::header::Said;
use super::{Location, MemoryFile, Mode, Options, journal, moved};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{FileSystem, Found};

mod guard;

pub(super) use guard::guard;

/// How many prepared statements a connection keeps: all that there are.
pub(super) const STATEMENTS: usize = 32;

/// An open database, and where it goes when it is closed.
pub(super) struct Database {
    pub(super) conn: Connection,
    home: Option<MemoryFile>,
    /// Through which the file is open, if it is open to be written, and where it is.
    door: Option<Arc<Door>>,
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
                Ok(Self { conn, home: Some(file.clone()), door: None })
            }
            Location::File(path) => {
                look(path, files)?;
                if planted(Fault::LogDeletedAtOpen) && mode == Mode::ReadWrite {
                    let mut log = path.clone().into_os_string();
                    log.push("-wal");
                    let _ = files.remove(Path::new(&log));
                }
                let (conn, gate) = connect_file(path, mode, options)?;
                let door = Door::to(path, gate, options);
                Ok(Self { conn, home: None, door: Some(Arc::new(door)) })
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
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], Whole::of).map_err(failed)
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

impl MemoryFile {
    /// The database, if there is one yet; the place is taken until it is put back.
    pub(super) fn take(&self) -> Result<Option<Connection>> {
        let mut slot = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Filled(conn) => Ok(Some(conn)),
            Slot::Empty => {
                *slot = Slot::Empty;
                Ok(None)
            }
            Slot::Taken => Err(Error::new(ErrorKind::Busy, "opening a database in memory")),
        }
    }

    pub(super) fn put_back(&self, conn: Connection) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Slot::Filled(conn);
    }
}

/// What a [`MemoryFile`] holds.
#[derive(Debug, Default)]
pub(super) enum Slot {
    #[default]
    Empty,
    Filled(Connection),
    Taken,
}

/// A look that opens no descriptor: closing one would drop the locks that this process has on the file.
fn look(path: &Path, files: &dyn FileSystem) -> Result<()> {
    let found = files.look(path).map_err(|e| Error::from_io(format!("opening {}", path.display()), e))?;
    let refuse = |what: &str| Err(Error::new(ErrorKind::NotADisk, format!("{} {what}", path.display())));
    match found {
        Found::Directory => refuse("is a directory; a disk layer is a file"),
        Found::Other => refuse("is not a regular file"),
        Found::File(0) => refuse("is empty; create the layer first"),
        // SQLite takes a file of one byte for an empty one, and deletes its log.
        Found::File(1..512) => refuse("is too short for a database"),
        Found::File(_) => Ok(()),
    }
}

/// A connection on the VFS of that file system.
pub(super) fn connect_with(path: &Path, flags: OpenFlags, files: &dyn FileSystem) -> rusqlite::Result<Connection> {
    match files.vfs() {
        None => Connection::open_with_flags(path, flags),
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
    }
}

/// A connection through a gate, with the error that SQLite gave and not the name that we made.
pub(super) fn connect_through(gate: &Gate, path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags_and_vfs(gate.uri(path), flags, gate.vfs());
    opened.map_err(|error| match error {
        rusqlite::Error::SqliteFailure(code, _) => rusqlite::Error::SqliteFailure(code, None),
        other => other,
    })
}

fn connect_file(path: &Path, mode: Mode, options: &Options) -> Result<(Connection, Option<Gate>)> {
    let files = &*options.file_system;
    journal::look(path, mode, files)?;
    let (conn, gate) = match mode {
        Mode::ReadWrite => match connect_writer(path, options)? {
            Some((conn, gate)) => (conn, Some(gate)),
            None => (connect_reader(path, files)?, None),
        },
        Mode::ReadOnly => (connect_reader(path, files)?, None),
    };
    // The first read takes the lock: shared for a reader, exclusive for the writer.
    count_pages(&conn).map_err(|e| unreadable(&conn, path, e))?;
    let log = if gate.is_none() { journal::look_at_log(path, files) } else { Ok(()) };
    // While this waited for the lock the file may have been replaced, and what is locked is the old one. From here on
    // nobody replaces it.
    match moved::has_moved(&conn) {
        true => Err(being_replaced(path)),
        false => log.map(|()| (conn, gate)),
    }
}

pub(super) fn being_replaced(path: &Path) -> Error {
    Error::new(ErrorKind::Busy, format!("opening {}: it is being replaced", path.display()))
}

/// Why the schema cannot be read. A header that can says more: the file is another program's, or from the future.
fn unreadable(conn: &Connection, path: &Path, error: rusqlite::Error) -> Error {
    // The log that was read with it was the other file's.
    if moved::has_moved(conn) {
        return being_replaced(path);
    }
    let error = opening(path, error);
    match Said::by(conn).and_then(Said::format) {
        Err(told)
            if error.kind() == ErrorKind::Corrupt && matches!(told.kind(), ErrorKind::NotADisk | ErrorKind::TooNew) =>
        {
            told.in_context(format!("opening {}", path.display()))
        }
        _ => error,
    }
}

fn opening(path: &Path, error: rusqlite::Error) -> Error {
    sql_error(&format!("opening {}", path.display()), error)
}

/// A connection that excludes everybody else once it is used; none if the file can only be read.
fn connect_writer(path: &Path, options: &Options) -> Result<Option<(Connection, Gate)>> {
    let failed = |e| opening(path, e);
    let gather = usize::try_from(options.gather).unwrap_or(usize::MAX);
    let gate = Gate::over(options.file_system.vfs(), gather)
        .ok_or_else(|| Error::new(ErrorKind::Io, format!("opening {}: SQLite lacks its VFS", path.display())))?;
    let mut conn = connect_through(&gate, path, FLAGS | OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    if conn.is_readonly(MAIN_DB).map_err(failed)? {
        return Ok(None);
    }
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    guard(&mut conn).map_err(failed)?;
    Ok(Some((conn, gate)))
}

pub(super) fn connect_reader(path: &Path, files: &dyn FileSystem) -> Result<Connection> {
    let failed = |e| opening(path, e);
    let mut conn = connect_with(path, FLAGS | OpenFlags::SQLITE_OPEN_READ_ONLY, files).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    guard(&mut conn).map_err(failed)?;
    match () {
        () if needs_shared_memory(&conn, path)? || planted(Fault::ReaderIgnoresLog) => connect_immutable(path, files),
        () if has_log(&conn).map_err(failed)? => Ok(conn),
        // A reader without a log would let go of its lock after each read.
        () => conn.pragma_update(None, "locking_mode", "EXCLUSIVE").map(|()| conn).map_err(failed),
    }
}

/// A connection is used by one thread at a time, and says all that it knows of a failure.
pub(super) const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX.union(OpenFlags::SQLITE_OPEN_EXRESCODE);

/// Whether a reader fails because it cannot make the `-shm` file, as on read-only media.
fn needs_shared_memory(conn: &Connection, path: &Path) -> Result<bool> {
    match count_pages(conn) {
        Ok(_) => Ok(false),
        Err(rusqlite::Error::SqliteFailure(e, _)) if matches!(e.code, ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            Ok(true)
        }
        // A second look may not see it.
        Err(error) => Err(unreadable(conn, path, error)),
    }
}

/// How many pages the database has. Of what reads the schema and takes the lock, it is what SQLite prepares quickest;
/// not to be kept, since SQLite takes less time for what it need not keep, the schema that it reads meanwhile included.
pub(super) fn count_pages(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).map(|pages| pages as u64)
}

/// Whether the file is in WAL mode, as it is unless the original made it and nobody has written to it here.
fn has_log(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("PRAGMA journal_mode", [], |row| Ok(row.get_ref(0)?.as_str()? == "wal"))
}

/// On media that nobody can write to there is nothing to lock; a log that is left there cannot be read.
fn connect_immutable(path: &Path, files: &dyn FileSystem) -> Result<Connection> {
    if journal::is_there(path, "-wal", files)? && !planted(Fault::ReaderIgnoresLog) {
        let what = format!("{} has a log that cannot be replayed here; open it once where it can be", path.display());
        return Err(Error::new(ErrorKind::PermissionDenied, what));
    }
    let failed = |e| sql_error(&format!("opening {}", path.display()), e);
    let flags = FLAGS | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let mut conn = connect_with(Path::new(&immutable_uri(path)), flags, files).map_err(failed)?;
    guard(&mut conn).map_err(failed)?;
    Ok(conn)
}

pub(super) fn immutable_uri(path: &Path) -> String {
    uri(path, "immutable=1")
}

/// A name for SQLite that carries a parameter.
pub(super) fn uri(path: &Path, parameter: &str) -> String {
    let path = path.as_os_str().as_encoded_bytes();
    // What follows two slashes would be the name of a host.
    let mut uri = String::from(if path.starts_with(b"/") { "file://" } else { "file:" });
    for byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?" + parameter
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
mod tests;
