//! The first bytes of a file, read around SQLite, which says of some only what it makes of them.

use std::path::Path;

use super::database::{Database, Left};
use super::journal;
use crate::error::Result;
use crate::layer::FileSystem;

const LEN: usize = 60;

/// The header of a file whose log has not a byte, so that no part of it is newer there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header([u8; LEN]);

impl Header {
    /// That of a file open to be written, which is locked; none if it may lie in the log, or cannot be read.
    ///
    /// # Errors
    ///
    /// Those of looking for the log.
    pub(super) fn of(database: &Database, path: &Path, files: &dyn FileSystem) -> Result<Option<Self>> {
        let Some(file) = database.file() else { return Ok(None) };
        if journal::is_there(path, "-wal", files)? {
            return Ok(None);
        }
        let mut bytes = [0; LEN];
        Ok(file.read(&mut bytes, 0).then_some(Self(bytes)))
    }

    /// What lies in the log: a file that has none yet gets it first.
    pub(super) fn left(header: Option<Self>) -> Left {
        match header {
            Some(Self(bytes)) if bytes[18..20] == [2, 2] => Left::Nothing,
            _ => Left::Something,
        }
    }

    /// Whether its texts have an encoding that there is.
    pub(super) fn has_encoding(&self) -> bool {
        matches!(self.0[56..60], [0, 0, 0, 1..=3])
    }
}
