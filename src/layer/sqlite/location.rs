//! Where a database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::database;
use crate::sync::Mutex;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Location {
    /// In a file, with its log beside it.
    File(PathBuf),
    /// In memory.
    Memory(MemoryFile),
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
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
pub struct MemoryFile(pub(super) Arc<Mutex<database::Slot>>);
