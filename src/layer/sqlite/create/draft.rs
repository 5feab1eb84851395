//! A file that is made whole before it gets its name.

use std::io;
use std::path::{Path, PathBuf};

use super::super::format::UNFINISHED;
use super::super::header::Header;
use super::super::journal::suffixed;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::FileSystem;

/// The names that a draft may have.
fn names(path: &Path) -> impl Iterator<Item = PathBuf> {
    (0..100).map(|number| suffixed(path.to_owned(), &format!(".new{number}")))
}

/// Removes the drafts beside `path` that say themselves that they are unfinished; nobody may be at work with one.
pub(super) fn sweep(path: &Path, files: &dyn FileSystem) {
    for draft in names(path).filter(|draft| is_unfinished(draft, files)) {
        // One that stays is in nobody's way.
        let _ = files.remove(&draft);
    }
}

fn is_unfinished(draft: &Path, files: &dyn FileSystem) -> bool {
    Header::of_raw(draft, files).is_some_and(|header| header.said().application_id == UNFINISHED)
}

/// A name that nobody else uses, until the file there has got the name that it is for. Dropping takes it away.
pub(super) struct Draft<'a> {
    path: PathBuf,
    files: &'a dyn FileSystem,
    /// Afterwards the name may be another's.
    is_renamed: bool,
}

impl<'a> Draft<'a> {
    /// A name beside `path`, with an empty file in its place.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when all names are taken, and those of making a file.
    pub(super) fn beside(path: &Path, files: &'a dyn FileSystem) -> Result<Self> {
        let failed = |e| Error::from_io("making the new file", e);
        for path in names(path) {
            match files.create_new(&path) {
                Ok(()) => return Ok(Self { path, files, is_renamed: false }),
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e)),
                Err(_) => {}
            }
        }
        Err(Error::new(ErrorKind::AlreadyExists, "a hundred unfinished files .new* lie beside it; remove them"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file another name besides.
    pub(super) fn link(&self, to: &Path) -> io::Result<()> {
        self.files.hard_link(&self.path, to)
    }

    /// Gives the file another name instead, whatever has that name.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        self.files.rename(&self.path, to)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_renamed {
            // One that stays is in nobody's way.
            let _ = self.files.remove(&self.path);
        }
    }
}
