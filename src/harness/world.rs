//! Where scripts run: a directory of their own, databases in memory, and identities that come from the script alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Scratch, Threads};
use crate::drive::{Drive, Image};
use crate::error::Result;
use crate::layer::{Existing, Format, Location, MemoryFile, Options};
use crate::script::Medium;

/// The surroundings of one script after another. Files go with the next script, and the directory with the world.
pub struct World {
    home: Home,
    files: Vec<PathBuf>,
    /// By format and size of pages, which a database keeps: those of each, and how many of them are in use.
    memory: HashMap<(Format, u32), (Vec<MemoryFile>, usize)>,
    draws: Arc<AtomicU64>,
    base: Option<PathBuf>,
    drive: Option<Drive>,
    on_drive: bool,
    threads: Threads,
}

/// Where files lie while nothing strikes.
enum Home {
    Directory(Scratch),
    /// A simulated drive, so that nothing is left behind whatever ends the process.
    Drive(Drive),
}

impl World {
    /// A world in a new directory inside `parent`, or where temporary files are quick.
    ///
    /// # Errors
    ///
    /// Those of making a directory.
    pub fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(temporary, Path::to_owned);
        Scratch::new(&parent).map(|dir| Self::at(Home::Directory(dir)))
    }

    /// A world without a directory: its files are on a simulated drive, struck or not.
    pub fn in_memory() -> Self {
        Self::at(Home::Drive(Drive::new()))
    }

    fn at(home: Home) -> Self {
        Self {
            home,
            files: Vec::new(),
            memory: HashMap::new(),
            draws: Arc::default(),
            base: None,
            drive: None,
            on_drive: false,
            threads: Threads::default(),
        }
    }

    /// The same world, with a disk image under every stack whose lowest layer is a file.
    #[must_use]
    pub fn with_base(mut self, image: PathBuf) -> Self {
        self.base = Some(image);
        self
    }

    /// The same world, with threads that go about it in another way.
    #[must_use]
    pub fn with_threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// How threads go about it.
    pub fn threads(&self) -> Threads {
        self.threads
    }

    /// The disk image under the stacks.
    pub fn base(&self) -> Option<&Path> {
        self.base.as_deref()
    }

    /// Makes everything as it was at first.
    pub(super) fn reset(&mut self) {
        match &self.home {
            Home::Directory(dir) => {
                self.files.iter().filter(|file| file.starts_with(dir.path())).for_each(|file| remove(file))
            }
            Home::Drive(drive) if !self.files.is_empty() => drive.restore(&Image::default()),
            Home::Drive(_) => {}
        }
        self.files.clear();
        self.memory.values_mut().for_each(|(_, in_use)| *in_use = 0);
        self.on_drive = false;
        self.draws.store(0, Ordering::Relaxed);
    }

    /// Puts everything that is made from now on onto an empty simulated drive.
    pub(super) fn go_on_drive(&mut self) {
        let drive = self.drive.get_or_insert_default();
        drive.restore(&Image::default());
        drive.take_struck_at();
        self.on_drive = true;
    }

    /// The call that the strike of the last script has struck.
    pub(super) fn struck_at(&self) -> Option<u32> {
        self.drive().and_then(Drive::take_struck_at)
    }

    /// The simulated drive, if that is where things are.
    pub(super) fn drive(&self) -> Option<&Drive> {
        self.drive.as_ref().filter(|_| self.on_drive)
    }

    /// A place for a new database.
    pub(super) fn place(&mut self, medium: Medium, options: &Options) -> (Location, Existing) {
        match medium {
            Medium::Files => (Location::File(self.new_file("dbhd")), Existing::Keep),
            Medium::Memory if self.on_drive => (Location::File(self.new_file("dbhd")), Existing::Keep),
            Medium::Memory => {
                let (memory, in_use) = self.memory.entry((options.format, options.page_size)).or_default();
                if *in_use == memory.len() {
                    memory.push(MemoryFile::default());
                }
                *in_use += 1;
                ((&memory[*in_use - 1]).into(), Existing::Replace)
            }
        }
    }

    /// A name for a new file.
    pub(super) fn new_file(&mut self, extension: &str) -> PathBuf {
        let name = format!("{}.{extension}", self.files.len());
        let path = match (self.drive(), &self.home) {
            (Some(drive), _) | (None, Home::Drive(drive)) => drive.path(&name),
            (None, Home::Directory(dir)) => dir.path().join(&name),
        };
        self.files.push(path.clone());
        path
    }

    /// Options whose identities are the same for the same script.
    pub(super) fn options(&self) -> Options {
        let draws = self.draws.clone();
        let draw = move || {
            u128::from(draws.fetch_add(1, Ordering::Relaxed) + 1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        };
        let options = Options { identities: Some(Arc::new(draw)), ..Options::default() };
        match (self.drive(), &self.home) {
            // So little that a transaction of a few sectors reaches the log before it is committed, in several writes
            // of which some are of more than one frame.
            (Some(drive), _) => {
                Options { file_system: Arc::new(drive.clone()), cache_bytes: 4096, gather: 9000, ..options }
            }
            (None, Home::Drive(drive)) => Options { file_system: Arc::new(drive.clone()), ..options },
            (None, Home::Directory(_)) => options,
        }
    }
}

/// Removes a file, and what SQLite may have put beside it.
fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.to_owned().into_os_string();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}

/// Where temporary files go. Syncs are counted and modelled elsewhere; here they only cost time, so memory is better.
pub(super) fn temporary() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match std::env::var_os("TMPDIR") {
        None if memory.is_dir() => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}
