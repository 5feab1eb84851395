//! Connections: how the file is opened, locked, and looked at before anything is touched.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::database::sql_error;
use super::gate::Gate;
use super::header::Said;
use super::{Mode, Options, journal, moved};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{FileSystem, Found};

mod guard;

pub(super) use guard::guard;

/// How many prepared statements a connection keeps: all that there are.
pub(super) const STATEMENTS: usize = 32;

/// A connection is used by one thread at a time, and says all that it knows of a failure.
pub(super) const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX.union(OpenFlags::SQLITE_OPEN_EXRESCODE);

/// A look that opens no descriptor: closing one would drop the locks that this process has on the file.
pub(super) fn look(path: &Path, files: &dyn FileSystem) -> Result<()> {
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

pub(super) fn connect_file(path: &Path, mode: Mode, options: &Options) -> Result<(Connection, Option<Gate>)> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// An opener with the old file has the log of the new one, which does not go with it.
    #[test]
    fn a_file_that_cannot_be_read_is_busy_if_it_is_not_at_its_place_any_more() {
        let directory = tempfile::TempDir::new().unwrap();
        let [path, other] = ["one", "other"].map(|name| directory.path().join(name));
        for path in [&path, &other] {
            Connection::open(path).unwrap().execute_batch("CREATE TABLE some (thing)").unwrap();
        }
        let conn = Connection::open(&path).unwrap();
        let kind =
            || unreadable(&conn, &path, rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(11), None)).kind();
        assert_ne!(kind(), ErrorKind::Busy);
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(kind(), ErrorKind::Busy);
    }
}
