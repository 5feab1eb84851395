//! Where files are: the operating system's, or a model of it that can lose power.
//!
//! SQLite reaches its files through a VFS, and this is the rest: what a layer does with files beside SQLite. Both must
//! be on the same drive, or nobody could cut its power.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

mod hold;
mod positioned;

pub use hold::Hold;

/// A file system, with errors as `std::fs` has them.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// The SQLite VFS for the same files; the default one if not given.
    fn vfs(&self) -> Option<&str>;

    /// What is there, without opening it.
    fn look(&self, path: &Path) -> io::Result<Found>;

    /// Where a link leads; any other path leads to itself.
    fn follow(&self, path: &Path) -> PathBuf;

    /// Makes an empty file where nothing is.
    fn create_new(&self, path: &Path) -> io::Result<()>;

    /// Opens a file to be read and written as it is, or only to be read if that is all that is possible or wanted.
    fn open(&self, path: &Path, wanted: Wanted) -> io::Result<(Box<dyn RawFile>, Wanted)>;

    /// Holds a file against whoever excludes this: one who writes, or any number who read, until what is returned is
    /// dropped. Where there is no such thing SQLite's locks have to do.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it is held.
    fn hold(&self, path: &Path, wanted: Wanted) -> io::Result<Hold> {
        let _ = (path, wanted);
        Ok(Hold::none())
    }

    /// Gives a file a second name, where nothing is.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file another name, in place of what has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a name away.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Lets who may use `from` use `to`, as far as that can be done and where there is such a thing.
    fn copy_permissions(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Ok(())
    }

    /// Makes the names beside `path` durable.
    fn sync_directory_of(&self, path: &Path) -> io::Result<()>;
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// Something else: a pipe, a device.
    Other,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To be read.
    Reading,
    /// To be read and written.
    Writing,
}

/// An open file, read and written at a position in bytes.
pub trait RawFile: Send + Sync + fmt::Debug {
    /// Fills `buf` with what lies at `offset`.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `data` at `offset`.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Makes a range read as zeros, giving the space back where that is possible.
    fn zero(&self, range: Range<u64>) -> io::Result<()>;

    /// Changes the length.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything written durable.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's.
#[derive(Debug)]
pub struct Native;

impl FileSystem for Native {
    fn vfs(&self) -> Option<&str> {
        None
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        let info = std::fs::metadata(path)?;
        Ok(match () {
            () if info.is_dir() => Found::Directory,
            () if info.is_file() => Found::File(info.len()),
            () => Found::Other,
        })
    }

    fn follow(&self, path: &Path) -> PathBuf {
        let target = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
        target.unwrap_or_else(|| path.to_owned())
    }

    fn create_new(&self, path: &Path) -> io::Result<()> {
        File::create_new(path).map(drop)
    }

    fn open(&self, path: &Path, wanted: Wanted) -> io::Result<(Box<dyn RawFile>, Wanted)> {
        let writing = match wanted {
            Wanted::Writing => OpenOptions::new().read(true).write(true).open(path).ok(),
            Wanted::Reading => None,
        };
        match writing {
            Some(file) => Ok((Box::new(file), Wanted::Writing)),
            None => Ok((Box::new(File::open(path)?), Wanted::Reading)),
        }
    }

    fn hold(&self, path: &Path, wanted: Wanted) -> io::Result<Hold> {
        Hold::of(path, wanted)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn copy_permissions(&self, from: &Path, to: &Path) -> io::Result<()> {
        let info = std::fs::metadata(from)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, chown};
            // Only root may give a file away.
            let _ = chown(to, Some(info.uid()), Some(info.gid()));
        }
        std::fs::set_permissions(to, info.permissions())
    }

    /// Only unix can and must.
    fn sync_directory_of(&self, path: &Path) -> io::Result<()> {
        if !cfg!(unix) {
            return Ok(());
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)?.sync_all()
    }
}

impl RawFile for File {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        positioned::read_exact(self, buf, offset)
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        positioned::write_all(self, data, offset)
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        positioned::zero(self, range)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_not_said_to_be_synced() {
        let there = tempfile::TempDir::new().unwrap();
        Native.sync_directory_of(&there.path().join("file")).unwrap();
        let error = Native.sync_directory_of(&there.path().join("nowhere/file")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
