//! Making a new file: everything is checked before anything is destroyed (rule 20).
//!
//! The file is made whole beside its place, synced, and then put there in one step. Whatever interrupts that, the old
//! file is there or the new one. The old file is locked while it is replaced, and its log is folded in first: a log
//! that outlived its database would be replayed into the next one.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::connect::{STATEMENTS, connect_with};
use super::database::{Database, Left, sql_error};
use super::format::{APPLICATION_ID, UNFINISHED};
use super::journal::suffixed;
use super::schema::{self, Lineage, Meta};
use super::session::Identities;
use super::{Existing, Location, MemoryFile, Mode, Options, fresh};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{FileSystem, Found, Identity, Parent, Wanted};

mod claim;
mod draft;
mod logs;

use claim::Claim;
use draft::Draft;
use logs::{check_logs, logs, remove_if_there, remove_logs, sync_log};

pub(super) fn create(
    location: &Location,
    meta: &Meta,
    parent: Option<Parent>,
    existing: Existing,
    options: &Options,
) -> Result<Identity> {
    let made = Cell::new(None);
    let draw = |conn: &Connection| {
        let lineage = lineage(conn, parent, options)?;
        made.set(Some(lineage.identity()));
        Ok(lineage)
    };
    let files = &*options.file_system;
    match location {
        Location::Memory(file) => in_memory(file, meta, existing, |conn| schema::write(conn, meta, &draw(conn)?))?,
        Location::File(path) => in_file(path, existing, options, Making::AtOnce, |draft| {
            write_draft(draft, &fresh::image(meta, draw)?, files)
        })
        .map_err(|e| e.in_context(format!("creating {}", path.display())))?,
    }
    match made.get() {
        Some(identity) => Ok(identity),
        None => unreachable!("what has been created has been written"),
    }
}

/// Who a new layer is.
pub(super) fn lineage(conn: &Connection, parent: Option<Parent>, options: &Options) -> Result<Lineage> {
    let identities = Identities::of(options);
    let uuid = Uuid::from_u128(identities.draw(conn)?);
    let generation = identities.draw(conn)? as u64;
    Ok(Lineage { uuid, generation, parent })
}

/// Writes a new layer into a database in memory, in one transaction.
pub(super) fn in_memory(
    file: &MemoryFile,
    meta: &Meta,
    existing: Existing,
    write: impl FnOnce(&Connection) -> Result<()>,
) -> Result<()> {
    let failed = |e| sql_error("creating a database in memory", e);
    let conn = match file.take()? {
        None => {
            let conn = Connection::open_in_memory().map_err(failed)?;
            conn.set_prepared_statement_cache_capacity(STATEMENTS);
            meta.shape_pages(&conn)?;
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

/// How the content of a new file is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    AtOnce,
    /// Part by part, for as long as it takes. Who is killed meanwhile leaves much, and it says [`UNFINISHED`].
    Filled,
}

/// Puts what `make` makes of an empty file where a new layer is wanted.
pub(super) fn in_file(
    path: &Path,
    existing: Existing,
    options: &Options,
    making: Making,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let files = &*options.file_system;
    // What a link points at is replaced, not the link; SQLite puts its log beside that too.
    let path = &files.follow(path);
    let occupied = check_place(path, existing, files)?;
    check_logs(path, existing, files)?;
    let claim = match making {
        Making::AtOnce => None,
        Making::Filled => Some(claim_swept(path, files)?),
    };
    let draft = Draft::beside(path, files)?;
    if let Occupied::Yes = occupied {
        give_to_the_same(path, &draft, files)?;
    }
    make(draft.path())?;
    match occupied {
        Occupied::No => put_new(draft, path, existing, claim, files),
        Occupied::Yes => put_over(draft, path, existing, claim, options),
    }
}

/// Puts what `make` makes of an empty file in the place of `old`, which stays locked until then. `old` keeps its log
/// empty.
pub(super) fn in_place_of(
    old: impl FnOnce() -> Result<Database>,
    path: &Path,
    files: &dyn FileSystem,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let path = &files.follow(path);
    let _claim = claim_swept(path, files)?;
    let draft = Draft::beside(path, files)?;
    give_to_the_same(path, &draft, files)?;
    make(draft.path())?;
    put_over_old(draft, path, old()?, files)
}

/// The claim to a name, without what dead processes left unfinished beside it.
fn claim_swept<'a>(path: &Path, files: &'a dyn FileSystem) -> Result<Claim<'a>> {
    let claim = Claim::take(path, files)?;
    // Whoever fills a draft has the claim for as long as that takes.
    draft::sweep(path, files);
    Ok(claim)
}

/// Who may use the old file may use the new one, before anything is in it.
fn give_to_the_same(old: &Path, draft: &Draft<'_>, files: &dyn FileSystem) -> Result<()> {
    match files.copy_permissions(old, draft.path()) {
        // Somebody has taken it away, and there is nobody to be given to.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        given => given.map_err(|e| Error::from_io("making the new file", e)),
    }
}

enum Occupied {
    No,
    Yes,
}

fn check_place(path: &Path, existing: Existing, files: &dyn FileSystem) -> Result<Occupied> {
    match files.look(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Occupied::No),
        Err(e) => Err(Error::from_io("looking at the place", e)),
        Ok(Found::File(len)) if len > 0 && existing == Existing::Keep => {
            Err(Error::new(ErrorKind::AlreadyExists, "there is a file that is not empty"))
        }
        Ok(Found::File(_)) => Ok(Occupied::Yes),
        Ok(_) => Err(Error::new(ErrorKind::NotADisk, "there is something that is not a file")),
    }
}

/// Makes a draft of these bytes, durably.
fn write_draft(draft: &Path, image: &[u8], files: &dyn FileSystem) -> Result<()> {
    let failed = |e| Error::from_io("writing the new file", e);
    let (file, _) = files.open(draft, Wanted::Writing).map_err(failed)?;
    file.write_all_at(image, 0).map_err(failed)?;
    if planted(Fault::DraftNotSynced) {
        return Ok(());
    }
    file.sync().map_err(|e| Error::from_io("syncing the new file", e))
}

/// A draft with a transaction open.
pub(super) fn open_draft(draft: &Path, meta: &Meta, files: &dyn FileSystem) -> Result<Connection> {
    let failed = |e| sql_error("writing the new file", e);
    let conn = connect_with(draft, OpenFlags::default(), files).map_err(failed)?;
    // Nobody else knows the draft; who has it locked all the same will not let go of it soon.
    conn.busy_timeout(Duration::ZERO).map_err(failed)?;
    meta.shape_pages(&conn)?;
    // Nobody looks at the draft until it is whole and synced, so it needs no journal.
    let modes = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF";
    conn.execute_batch(&format!("{modes}; PRAGMA application_id={UNFINISHED}; BEGIN")).map_err(failed)?;
    Ok(conn)
}

/// Commits to a draft that is not whole yet.
pub(super) fn leave_draft(conn: Connection) -> Result<()> {
    let failed = |e| sql_error("writing the new file", e);
    conn.execute_batch(&format!("PRAGMA application_id={UNFINISHED}; COMMIT")).map_err(failed)?;
    conn.close().map_err(|(_, e)| failed(e))
}

/// Makes a draft whole and durable.
pub(super) fn finish_draft(conn: Connection, draft: &Path, files: &dyn FileSystem) -> Result<()> {
    let failed = |e| sql_error("writing the new file", e);
    conn.execute_batch(&format!("PRAGMA application_id={APPLICATION_ID}; COMMIT; PRAGMA journal_mode=WAL"))
        .map_err(failed)?;
    conn.close().map_err(|(_, e)| failed(e))?;
    if planted(Fault::DraftNotSynced) {
        return Ok(());
    }
    let synced = files.open(draft, Wanted::Writing).and_then(|(file, _)| file.sync());
    synced.map_err(|e| Error::from_io("syncing the new file", e))
}

/// Gives the draft its name, unless somebody was quicker.
fn put_new(
    draft: Draft<'_>,
    path: &Path,
    existing: Existing,
    claim: Option<Claim<'_>>,
    files: &dyn FileSystem,
) -> Result<()> {
    let failed = |e| Error::from_io("naming the new file", e);
    if logs(path, files).is_empty() {
        match draft.link(path) {
            Ok(()) => return sync_directory(path, files),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(failed(e)),
            // File systems without hard links.
            Err(_) => {}
        }
    }
    let _claim = claim.map_or_else(|| Claim::take(path, files), Ok)?;
    // SQLite would replay a log without its database into ours; but it may have one by now. Those
    // that were there before stay out until the last of them is gone, and what is there later is not touched.
    let logs = logs(path, files);
    check_logs(path, existing, files)?;
    check_free(path, files)?;
    remove_logs(&logs, path, files)?;
    match draft.link(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(failed(e)),
        Err(_) => check_free(path, files).and_then(|()| rename(draft, path, files)),
        Ok(()) => sync_directory(path, files),
    }
}

fn check_free(path: &Path, files: &dyn FileSystem) -> Result<()> {
    match check_place(path, Existing::Keep, files)? {
        Occupied::No => Ok(()),
        Occupied::Yes => Err(Error::new(ErrorKind::AlreadyExists, "somebody else has just made it")),
    }
}

/// Puts the draft in the place of an old file that nobody else has open.
fn put_over(
    draft: Draft<'_>,
    path: &Path,
    existing: Existing,
    claim: Option<Claim<'_>>,
    options: &Options,
) -> Result<()> {
    let files = &*options.file_system;
    let _claim = claim.map_or_else(|| Claim::take(path, files), Ok)?;
    // What was empty may be somebody's by now.
    check_place(path, existing, files)?;
    match Database::connect(&Location::File(path.to_owned()), Mode::ReadWrite, options) {
        Ok(old) if old.is_readonly() => {
            Err(Error::new(ErrorKind::PermissionDenied, "the old file cannot be written to"))
        }
        Ok(old) => {
            old.accept(Mode::ReadWrite, Left::Something)?;
            put_over_old(draft, path, old, files)
        }
        // Not a database: there is no lock to take and no log to fold in.
        Err(error) if matches!(error.kind(), ErrorKind::NotADisk | ErrorKind::Corrupt | ErrorKind::TooNew) => {
            remove_if_there(&beside(path, "-shm"), files)?;
            remove_logs(&logs(path, files), path, files).and_then(|()| rename(draft, path, files))
        }
        Err(error) => Err(error),
    }
}

/// Puts the draft in the place of an old database, which has its log folded in.
fn put_over_old(draft: Draft<'_>, path: &Path, old: Database, files: &dyn FileSystem) -> Result<()> {
    old.keep_log()?;
    sync_log(path, files)?;
    // Before it has its name, or it would be that of whoever opens the new file at once.
    let renamed = remove_if_there(&beside(path, "-shm"), files).and_then(|()| rename(draft, path, files));
    old.close().and(renamed)
}

fn rename(draft: Draft<'_>, to: &Path, files: &dyn FileSystem) -> Result<()> {
    draft.rename(to).map_err(|e| Error::from_io("replacing the file", e))?;
    sync_directory(to, files)
}

/// Makes the new name durable.
fn sync_directory(path: &Path, files: &dyn FileSystem) -> Result<()> {
    if planted(Fault::DirectoryNotSynced) {
        return Ok(());
    }
    files.sync_directory_of(path).map_err(|e| Error::from_io("syncing the directory", e))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    suffixed(path.to_owned(), suffix)
}
