//! Of several who make the same file at once, the one who may take away what lies there.
//!
//! A name that is given to a new file in one step needs no claim. A log that outlived its database does, and so does a
//! file to be replaced: whoever looked and then removed or renamed by name would strike what another has put there since.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::connect::connect_with;
use super::super::database::sql_error;
use super::super::moved;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::FileSystem;

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
        let lock = connect_with(&place, OpenFlags::default(), files).map_err(failed)?;
        lock.busy_timeout(Duration::ZERO).map_err(failed)?;
        // Nothing is ever written, so there is nothing to be journalled.
        lock.execute_batch("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE").map_err(failed)?;
        match moved::has_moved(&lock) {
            // Its owner has just given it up.
            true => Err(Error::new(ErrorKind::Busy, "claiming the name")),
            false => Ok(Self { place, files, _lock: lock }),
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // While it is locked: afterwards it may be another's. One that stays is in nobody's way.
        let _ = self.files.remove(&self.place);
    }
}
