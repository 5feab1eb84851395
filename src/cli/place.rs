//! Where scripts run, and the disk image that lies under them.

use std::path::{Path, PathBuf};

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{Scratch, World};
use disklayer_sqlite::layer::{FileDisk, LayerIo, Mode};
use tempfile::tempdir_in;

/// Syncs only cost time here, so memory is better.
const MEMORY: &str = "/dev/shm";
/// A place without room for so much is full: a script takes less.
const ROOM: usize = 8 << 20;

#[derive(Args, Clone, Default)]
pub(super) struct Place {
    /// Put a real disk image under the stacks, read only; its size is a multiple of 512 bytes
    #[arg(long, value_name = "IMAGE")]
    pub(super) base: Option<PathBuf>,
    /// Where the layers' files go [default: $TMPDIR, else /dev/shm, else where temporary files go]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Place {
    /// A new world.
    pub(super) fn world(&self) -> Result<World> {
        let world = self.somewhere(|dir| World::new(Some(dir)))?;
        Ok(self.base.iter().fold(world, |world, base| world.with_base(base.clone())))
    }

    /// A new directory in the same place, which goes with the value.
    pub(super) fn directory(&self) -> Result<Scratch> {
        self.somewhere(Scratch::new)
    }

    /// Whether `path` is a directory that [`Place::directory`] may have made here, in a process that was killed.
    pub(super) fn may_have_made(&self, path: &Path) -> bool {
        let named =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(Scratch::PREFIX.as_bytes()));
        let same = |dir: &Path| std::path::absolute(dir).is_ok_and(|dir| path.parent() == Some(dir.as_path()));
        let (first, otherwise) = self.candidates();
        named && (same(&first) || otherwise.is_some_and(|dir| same(&dir)))
    }

    fn somewhere<T>(&self, make: impl Fn(&Path) -> Result<T>) -> Result<T> {
        let (first, otherwise) = self.candidates();
        match otherwise {
            None => make(&first),
            Some(otherwise) => make(&first).or_else(|_| make(&otherwise)),
        }
    }

    /// Where to make something, and where if that cannot be done.
    fn candidates(&self) -> (PathBuf, Option<PathBuf>) {
        match (&self.dir, std::env::var_os("TMPDIR")) {
            (Some(dir), _) => (dir.clone(), None),
            (None, Some(dir)) if !dir.is_empty() => (dir.into(), None),
            (None, _) => (MEMORY.into(), Some(std::env::temp_dir())),
        }
    }

    /// Says that the place is full, if it is.
    pub(super) fn full(&self) -> Option<Error> {
        let (first, otherwise) = self.candidates();
        let fill = |dir: &Path| std::fs::write(tempdir_in(dir)?.path().join("room"), vec![1; ROOM]);
        for dir in [Some(first), otherwise].into_iter().flatten() {
            match fill(&dir) {
                Ok(()) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                    let what = format!("{} is full; name another place with --dir or TMPDIR", dir.display());
                    return Some(Error::from_io(what, error));
                }
                // Nothing can be there, so the next is the place.
                Err(_) => {}
            }
        }
        None
    }

    /// The size of the base in sectors of 512 bytes.
    pub(super) fn base_sectors(&self) -> Result<Option<u64>> {
        let Some(base) = &self.base else { return Ok(None) };
        // Opening a pipe would wait for somebody to write to it.
        if std::fs::metadata(base).is_ok_and(|info| !info.is_file() && !info.is_dir()) {
            let what = format!("{} is not a file, and a disk image is one", base.display());
            return Err(Error::new(ErrorKind::NotADisk, what));
        }
        FileDisk::open(base, 512, Mode::ReadOnly).map(|disk| Some(disk.metadata().geometry.sector_count()))
    }

    /// The options that replaying in this place takes.
    pub(super) fn options(&self) -> String {
        let base = self.base.as_ref().map(|base| format!(" --base {}", super::shell(&base.display().to_string())));
        base.unwrap_or_default()
    }
}
