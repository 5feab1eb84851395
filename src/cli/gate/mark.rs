//! What a process is doing, in a file that outlives it: which script it runs, and whether it gets on.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use disklayer_sqlite::error::{Error, Result};

/// The end of the file that is written to.
pub(super) struct Mark(Mutex<(File, Seen)>);

/// What a mark says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Seen {
    /// The number of the script.
    pub(in super::super) case: u64,
    /// Grows with every run.
    pub(in super::super) beats: u64,
}

impl Mark {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::from_io(format!("creating {}", path.display()), e))?;
        Ok(Self(Mutex::new((file, Seen::default()))))
    }

    pub(super) fn begins(&self, case: u64) {
        self.put(|seen| *seen = Seen { case, beats: seen.beats + 1 });
    }

    pub(super) fn beats(&self) {
        self.put(|seen| seen.beats += 1);
    }

    /// One call for all of it, and none that waits for a disk. A mark that cannot be left is missed by nobody but a crash.
    fn put(&self, change: impl FnOnce(&mut Seen)) {
        let (file, seen) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(seen);
        let bytes = [seen.case.to_le_bytes(), seen.beats.to_le_bytes()].concat();
        let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&bytes));
    }
}

impl Seen {
    /// What the mark in `path` says, if it says anything.
    pub(in super::super) fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self { case: word(0)?, beats: word(8)? })
    }
}
