//! Logs and journals that outlived their database: SQLite would replay them into the next one of that name.

use std::io;
use std::path::{Path, PathBuf};

use super::super::log::{self, Committed};
use super::super::{Existing, journal};
use super::{beside, sync_directory};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{FileSystem, Found, Wanted};

/// What a database begins with.
const DATABASE: [u8; 8] = *b"SQLite f";

/// Bytes before the first page of a journal: a sector, and no drive has smaller ones.
const JOURNAL_HEAD: u64 = 512;

/// The log and the journal that lie there; what cannot be looked at does.
pub(super) fn logs(path: &Path, files: &dyn FileSystem) -> Vec<PathBuf> {
    let lies_there = |log: &PathBuf| !matches!(files.look(log), Err(e) if e.kind() == io::ErrorKind::NotFound);
    ["-wal", "-journal"].map(|suffix| beside(path, suffix)).into_iter().filter(lies_there).collect()
}

/// What lies where SQLite has its log and its journal will be removed. Whoever replaces the file lets go of what belongs
/// to it too, whatever that has become, and not of another database. Nobody else lets go of what was written: it may be
/// all there is of a database that was moved away, or whose pages never reached its file.
pub(super) fn check_logs(path: &Path, existing: Existing, files: &dyn FileSystem) -> Result<()> {
    for log in logs(path, files) {
        match in_the_way(&log, existing, files) {
            Ok(None) => {}
            // Whose it was has removed it meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(Some(why)) => {
                let what = format!("{} is in the way: {why}", log.display());
                return Err(Error::new(ErrorKind::AlreadyExists, what));
            }
        }
    }
    Ok(())
}

/// Why it cannot be removed, if it cannot.
fn in_the_way(log: &Path, existing: Existing, files: &dyn FileSystem) -> Result<Option<&'static str>> {
    let another = "it is no log of SQLite, which has that name; move it";
    let needed = "it holds what was written to a database that is not here; put it beside that, or remove it";
    let head = head_of(log, files).map_err(|e| Error::from_io("looking at the old log", e))?;
    let Some(head) = head else { return Ok(Some(another)) };
    Ok(match existing {
        Existing::Replace => (head == DATABASE).then_some(another),
        // Zeros are what a commit or a power cut leaves.
        Existing::Keep if head == [0; 8] => None,
        Existing::Keep if head == journal::MAGIC => (journal::len_of(log, files)? > JOURNAL_HEAD).then_some(needed),
        Existing::Keep if log::has_magic(&head) => Committed::read(log, files)?.page_count.map(|_| needed),
        Existing::Keep => Some(another),
    })
}

/// What it begins with, with zeros behind a shorter file; none if it is no file.
fn head_of(log: &Path, files: &dyn FileSystem) -> io::Result<Option<[u8; 8]>> {
    let Found::File(len) = files.look(log)? else { return Ok(None) };
    let mut head = [0; 8];
    let part = &mut head[..len.min(8) as usize];
    if !part.is_empty() {
        files.open(log, Wanted::Reading)?.0.read_exact_at(part, 0)?;
    }
    Ok(Some(head))
}

/// Removes logs and journals, durably: after a power cut they would be replayed into the file of that name.
pub(super) fn remove_logs(logs: &[PathBuf], path: &Path, files: &dyn FileSystem) -> Result<()> {
    logs.iter().try_for_each(|log| remove_if_there(log, files).and_then(|()| sync_directory(path, files)))
}

/// Makes durable that a log is empty now, for the same reason.
pub(super) fn sync_log(path: &Path, files: &dyn FileSystem) -> Result<()> {
    let synced = files.open(&beside(path, "-wal"), Wanted::Writing).and_then(|(file, _)| file.sync());
    match synced {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::from_io("syncing the old log", e)),
        _ => Ok(()),
    }
}

pub(super) fn remove_if_there(path: &Path, files: &dyn FileSystem) -> Result<()> {
    match files.remove(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::from_io("removing the old log", e)),
        _ => Ok(()),
    }
}
