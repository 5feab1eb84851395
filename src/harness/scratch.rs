//! Directories for a while: they go with their value, and what a process has left that was killed goes with the next
//! that is made beside it. In memory it would stay until the machine is started anew.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::{Builder, TempDir};

use crate::error::{Error, Result};

/// In each of them, and locked while its process lives.
const HELD: &str = ".held";
/// How often another name is tried, when somebody takes a new directory for one that was left.
const TRIES: usize = 8;

/// A new directory.
pub struct Scratch {
    _held: File,
    dir: TempDir,
}

impl Scratch {
    /// What names of directories that are made here begin with.
    pub const PREFIX: &str = "disklayer-";

    /// A new directory in `parent`.
    ///
    /// # Errors
    ///
    /// Those of making a directory and a file in it.
    pub fn new(parent: &Path) -> Result<Self> {
        sweep(parent);
        let failed = |e| Error::from_io(format!("making a directory in {}", parent.display()), e);
        for _ in 1..TRIES {
            match Self::take(parent) {
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotFound) => {}
                taken => return taken.map_err(failed),
            }
        }
        Self::take(parent).map_err(failed)
    }

    fn take(parent: &Path) -> io::Result<Self> {
        let dir = Builder::new().prefix(Self::PREFIX).tempdir_in(parent)?;
        let held = File::create_new(dir.path().join(HELD))?;
        match held.try_lock() {
            // Where there are no locks nobody sweeps either.
            Err(std::fs::TryLockError::Error(_)) | Ok(()) => Ok(Self { _held: held, dir }),
            Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what was left in `parent`, as far as that can be done.
fn sweep(parent: &Path) {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let named = entry.file_name().as_encoded_bytes().starts_with(Scratch::PREFIX.as_bytes());
        // Not through links, which somebody else may have made.
        let is_dir = || entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !named || !is_dir() {
            continue;
        }
        if let Ok(held) = File::open(entry.path().join(HELD))
            && held.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_has_left_goes_and_what_is_held_stays() {
        let parent = TempDir::new().unwrap();
        let make = |name: &str, held: bool| {
            let dir = parent.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            std::fs::write(dir.join("some.dbhd"), "layer").unwrap();
            held.then(|| std::fs::write(dir.join(HELD), "").unwrap());
            dir
        };
        let left = make("disklayer-left", true);
        let others = [make("disklayer-of-somebody", false), make("another", true)];
        let one = Scratch::new(parent.path()).unwrap();
        let two = Scratch::new(parent.path()).unwrap();
        assert!(!left.exists() && others.iter().all(|dir| dir.exists()));
        let paths = [one.path().to_owned(), two.path().to_owned()];
        assert!(paths.iter().all(|path| path.exists()));
        drop((one, two));
        assert!(!paths.iter().any(|path| path.exists()));
        let error = Scratch::new(&parent.path().join("nowhere")).map(drop).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
