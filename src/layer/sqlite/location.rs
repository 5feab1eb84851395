//! Where a database is.

use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::Mutex;

/// Where the database is.
///
/// ```
/// use disklayer_sqlite::layer::{Location, MemoryFile};
///
/// let path = std::path::PathBuf::from("a.dbhd");
/// let file = MemoryFile::default();
/// let files: [Location; 4] = ["a.dbhd".into(), path.as_path().into(), (&path).into(), path.clone().into()];
/// assert!(files.iter().all(|at| at.to_string() == "a.dbhd"));
/// let memory: [Location; 2] = [(&file).into(), file.into()];
/// assert!(memory.iter().all(|at| matches!(at, Location::Memory(_))));
/// ```
#[derive(Clone, Debug)]
pub enum Location {
    /// In a file, with its log beside it.
    File(PathBuf),
    /// In memory.
    Memory(MemoryFile),
}

impl From<&str> for Location {
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&MemoryFile> for Location {
    fn from(file: &MemoryFile) -> Self {
        Self::Memory(file.clone())
    }
}

impl From<MemoryFile> for Location {
    fn from(file: MemoryFile) -> Self {
        Self::Memory(file)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory(_) => f.write_str("a database in memory"),
        }
    }
}

/// A database in memory that outlives the layers opened on it, one at a time.
#[derive(Clone, Debug, Default)]
pub struct MemoryFile(Arc<Mutex<Slot>>);

impl MemoryFile {
    /// The database, if there is one yet; the place is taken until it is put back.
    pub(super) fn take(&self) -> Result<Option<Connection>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Filled(conn) => Ok(Some(conn)),
            Slot::Empty => {
                *slot = Slot::Empty;
                Ok(None)
            }
            Slot::Taken => Err(Error::new(ErrorKind::Busy, "opening a database in memory")),
        }
    }

    pub(super) fn put_back(&self, conn: Connection) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Slot::Filled(conn);
    }
}

/// What a [`MemoryFile`] holds.
#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Filled(Connection),
    Taken,
}
