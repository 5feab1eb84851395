//! Of several who make the same file at once, the one who may take away what lies there.
//!
//! A name that is given to a new file in one step needs no claim. A log that outlived its database does, and so does a
//! file to be replaced: whoever looked and then removed or renamed by name would strike what another has put there since.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::connect::connect_with;
use super::super::database::sql_error;
use super::super::moved;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{FileSystem, Found};

/// The claim to a name, for as long as it lives: a lock on an empty file beside it. A dead process leaves the file and
/// not the lock, and the next one takes it over.
pub(super) struct Claim<'a> {
    place: PathBuf,
    files: &'a dyn FileSystem,
    _lock: Connection,
}

impl<'a> Claim<'a> {
    /// The claim to `path`.
    ///
    /// # Errors
    ///
    /// `Busy` when somebody else has it.
    pub(super) fn take(path: &Path, files: &'a dyn FileSystem) -> Result<Self> {
        let failed = |e| sql_error("claiming the name", e);
        let mut place = path.as_os_str().to_owned();
        place.push(".new");
        let place = PathBuf::from(place);
        look(&place, files)?;
        let lock = connect_with(&place, OpenFlags::default(), files).map_err(failed)?;
        lock.busy_timeout(Duration::ZERO).map_err(failed)?;
        // Nothing is ever written, so there is nothing to be journalled.
        lock.execute_batch("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE").map_err(failed)?;
        match moved::has_moved(&lock) {
            // Its owner has just given it up.
            true => Err(Error::new(ErrorKind::Busy, "claiming the name")),
            // Nobody writes to it while it is locked.
            false => look(&place, files).map(|()| Self { place, files, _lock: lock }),
        }
    }
}

/// Only an empty file is a claim. Anything else is somebody's, and stays.
fn look(place: &Path, files: &dyn FileSystem) -> Result<()> {
    match files.look(place) {
        Ok(Found::File(0)) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::from_io("claiming the name", e)),
        Ok(_) => {
            let what = format!("{} is in the way, whose name is needed for a while; move it", place.display());
            Err(Error::new(ErrorKind::AlreadyExists, what))
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // While it is locked: afterwards it may be another's. One that stays is in nobody's way.
        let _ = self.files.remove(&self.place);
    }
}
