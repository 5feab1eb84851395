//! Logs and journals that outlived their database: SQLite would replay them into the next one of that name.

use std::io;
use std::path::{Path, PathBuf};

use super::super::{Existing, journal, log};
use super::{beside, sync_directory};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{FileSystem, Found, Wanted};

/// What a database begins with.
const DATABASE: [u8; 8] = *b"SQLite f";

/// The log and the journal that lie there; what cannot be looked at does.
pub(super) fn logs(path: &Path, files: &dyn FileSystem) -> Vec<PathBuf> {
    let lies_there = |log: &PathBuf| !matches!(files.look(log), Err(e) if e.kind() == io::ErrorKind::NotFound);
    ["-wal", "-journal"].map(|suffix| beside(path, suffix)).into_iter().filter(lies_there).collect()
}

/// What lies where SQLite has its log and its journal will be removed. Whoever replaces the file lets go of what belongs
/// to it too, whatever that has become, and not of another database.
pub(super) fn check_logs(path: &Path, existing: Existing, files: &dyn FileSystem) -> Result<()> {
    for log in logs(path, files) {
        let head = match head_of(&log, files) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            head => head.map_err(|e| Error::from_io("looking at the old log", e))?,
        };
        // Zeros are what a commit or a power cut leaves.
        let is_one = |head: [u8; 8]| head == [0; 8] || head == journal::MAGIC || log::has_magic(&head);
        let may_go = head.is_some_and(|head| match existing {
            Existing::Keep => is_one(head),
            Existing::Replace => head != DATABASE,
        });
        if !may_go {
            let what = format!("{} is in the way: it is no log of SQLite, which has that name; move it", log.display());
            return Err(Error::new(ErrorKind::AlreadyExists, what));
        }
    }
    Ok(())
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
