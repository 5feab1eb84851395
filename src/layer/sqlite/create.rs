//! Making a new file: everything is checked before anything is destroyed (rule 20).
//!
//! The file is made whole beside its place, synced, and then put there in one step. Whatever interrupts that, the old
//! file is there or the new one. The old file is locked while it is replaced, and its log is folded in first: a log
//! that outlived its database would be replayed into the next one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use uuid::Uuid;

use super::database::{Database, STATEMENTS, sql_error};
use super::schema::{self, Lineage, Meta};
use super::session::Identities;
use super::{Existing, Location, MemoryFile, Mode, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::Parent;

pub(super) fn create(
    location: &Location,
    meta: &Meta,
    parent: Option<Parent>,
    existing: Existing,
    options: &Options,
) -> Result<()> {
    let write = |conn: &Connection| {
        let identities = Identities::of(options);
        let uuid = Uuid::from_u128(identities.draw(conn)?);
        let generation = identities.draw(conn)? as u64;
        schema::write(conn, meta, &Lineage { uuid, generation, parent })
    };
    match location {
        Location::Memory(file) => create_in_memory(file, existing, write),
        Location::File(path) => {
            create_file(path, existing, write).map_err(|e| e.in_context(format!("creating {}", path.display())))
        }
    }
}

fn create_in_memory(
    file: &MemoryFile,
    existing: Existing,
    write: impl FnOnce(&Connection) -> Result<()>,
) -> Result<()> {
    let failed = |e| sql_error("creating a database in memory", e);
    let conn = match file.take()? {
        None => {
            let conn = Connection::open_in_memory().map_err(failed)?;
            conn.set_prepared_statement_cache_capacity(STATEMENTS);
            conn
        }
        Some(conn) if existing == Existing::Keep => {
            file.put_back(conn);
            return Err(Error::new(ErrorKind::AlreadyExists, "creating a database in memory where one is"));
        }
        Some(conn) => conn,
    };
    let run = |sql| conn.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(failed);
    let result = run("BEGIN").and_then(|()| write(&conn)).and_then(|()| run("COMMIT"));
    if result.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK").map_err(failed)?;
    }
    file.put_back(conn);
    result
}

fn create_file(path: &Path, existing: Existing, write: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    // What a link points at is replaced, not the link; SQLite puts its log beside that too.
    let target = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
    let path = target.as_deref().unwrap_or(path);
    let occupied = check_place(path, existing)?;
    let draft = reserve_draft(path)?;
    let made = make_draft(&draft, write).and_then(|()| match occupied {
        Occupied::No => put_new(&draft, path),
        Occupied::Yes => put_over(&draft, path),
    });
    let _ = std::fs::remove_file(&draft);
    made
}

/// A name beside `path` that nobody else uses, with an empty file in its place.
fn reserve_draft(path: &Path) -> Result<PathBuf> {
    let failed = |e| Error::from_io("making the new file", e);
    for number in 0..100 {
        let draft = beside(path, &format!(".new{number}"));
        match File::create_new(&draft) {
            Ok(_) => return Ok(draft),
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e)),
            Err(_) => {}
        }
    }
    Err(Error::new(ErrorKind::AlreadyExists, "a hundred unfinished files .new* lie beside it; remove them"))
}

enum Occupied {
    No,
    Yes,
}

fn check_place(path: &Path, existing: Existing) -> Result<Occupied> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Occupied::No),
        Err(e) => Err(Error::from_io("looking at the place", e)),
        Ok(info) if !info.is_file() => Err(Error::new(ErrorKind::NotADisk, "there is something that is not a file")),
        Ok(info) if info.len() > 0 && existing == Existing::Keep => {
            Err(Error::new(ErrorKind::AlreadyExists, "there is a file that is not empty"))
        }
        Ok(_) => Ok(Occupied::Yes),
    }
}

fn make_draft(draft: &Path, write: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    let failed = |e| sql_error("writing the new file", e);
    let conn = Connection::open(draft).map_err(failed)?;
    // Nobody looks at the draft until it is whole and synced, so it needs no journal.
    conn.execute_batch("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; BEGIN")
        .map_err(failed)?;
    write(&conn)?;
    conn.execute_batch("COMMIT; PRAGMA journal_mode=WAL").map_err(failed)?;
    conn.close().map_err(|(_, e)| failed(e))?;
    File::options()
        .write(true)
        .open(draft)
        .and_then(|f| f.sync_all())
        .map_err(|e| Error::from_io("syncing the new file", e))
}

/// Gives the draft its name, unless somebody was quicker.
fn put_new(draft: &Path, path: &Path) -> Result<()> {
    // A log without its database is nobody's; SQLite would replay it into ours.
    remove_if_there(&beside(path, "-wal"))?;
    match std::fs::hard_link(draft, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Error::from_io("naming the new file", e)),
        // File systems without hard links.
        Err(_) => rename(draft, path),
        Ok(()) => sync_directory(path),
    }
}

/// Puts the draft in the place of an old file that nobody else has open.
fn put_over(draft: &Path, path: &Path) -> Result<()> {
    let old = match Database::connect(&Location::File(path.to_owned()), Mode::ReadWrite) {
        Ok(old) if old.is_readonly() => {
            return Err(Error::new(ErrorKind::PermissionDenied, "the old file cannot be written to"));
        }
        Ok(old) => {
            old.accept(Mode::ReadWrite)?;
            old.keep_log()?;
            Some(old)
        }
        // Not a database: there is no lock to take and no log to fold in.
        Err(error) if matches!(error.kind(), ErrorKind::NotADisk | ErrorKind::Corrupt) => None,
        Err(error) => return Err(error),
    };
    let renamed = match old {
        Some(old) => {
            let renamed = rename(draft, path);
            old.close().and(renamed)
        }
        None => remove_if_there(&beside(path, "-wal")).and_then(|()| rename(draft, path)),
    };
    remove_if_there(&beside(path, "-shm")).and(renamed)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|e| Error::from_io("replacing the file", e))?;
    sync_directory(to)
}

/// Makes the new name durable; only unix can and must.
fn sync_directory(path: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|d| d.sync_all()).map_err(|e| Error::from_io("syncing the directory", e))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::from_io("removing the old log", e)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
