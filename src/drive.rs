//! A simulated drive: files in memory under SQLite and under everything else, that can lose power or fail.
//!
//! A test that kills processes cannot see a missing sync, because the page cache survives the process. Here what was
//! never synced may be lost: any part of it, in any order, torn at 512 bytes. What survives is a new [`Image`], on which
//! the layer is opened again, for real.
//!
//! The model is that of a Linux file system that keeps the promises which SQLite relies on (sqlite.org/atomiccommit.html,
//! "Things that can go wrong"), and no other: a file's sync makes its bytes, its length and the name it was made with
//! durable; other names are durable with their directory.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::layer::{FileSystem, Found, RawFile, Wanted};
use crate::strike::{Lost, Strike};

mod calls;
mod image;
mod locks;
mod record;
mod registry;
mod state;
mod vfs;

pub use image::Image;
pub use record::{Moment, Record};

use calls::Call;
use image::FileId;
use state::State;

/// Files in memory, all in one directory.
#[derive(Clone)]
pub struct Drive(Arc<Inner>);

struct Inner {
    number: u64,
    state: Mutex<State>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        registry::forget(self.number);
    }
}

impl fmt::Debug for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drive {}", self.0.number)
    }
}

impl Drive {
    /// An empty drive.
    pub fn new() -> Self {
        Self(registry::make(|number| Inner { number, state: Mutex::default() }))
    }

    /// The path of a file on it.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(registry::prefix(self.0.number) + name)
    }

    fn name<'a>(&self, path: &'a Path) -> io::Result<&'a str> {
        let name = path.to_str().and_then(|path| path.strip_prefix(&registry::prefix(self.0.number)));
        name.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the path is not on this drive"))
    }

    /// Everything that is there now, synced or not.
    pub fn image(&self) -> Image {
        self.0.state().image().clone()
    }

    /// Puts `image` in place of everything. Files that are open see nothing but errors.
    pub fn restore(&self, image: &Image) {
        self.0.state().restore(image.clone());
    }

    /// Begins to remember every change.
    pub fn record(&self) {
        self.0.state().record();
    }

    /// How many changes have been remembered.
    pub fn recorded(&self) -> usize {
        self.0.state().recorded()
    }

    /// Ends remembering, and gives what was.
    pub fn take_record(&self) -> Record {
        self.0.state().take_record()
    }

    /// Lets `strike` strike the calls from now on.
    pub fn arm(&self, strike: &Strike) {
        self.0.state().calls.arm(strike);
    }

    /// Ends what strikes; whether it has struck.
    pub fn disarm(&self) -> Struck {
        self.0.state().calls.disarm()
    }

    /// The first call that a failure has struck since this was asked, as its operation counts them.
    pub fn take_struck_at(&self) -> Option<u32> {
        self.0.state().calls.take_struck_at()
    }

    /// How many calls there have been since it was armed or disarmed.
    pub fn calls(&self) -> u32 {
        self.0.state().calls.seen()
    }

    /// Cuts the power: every call fails until it comes back.
    pub fn cut(&self) {
        self.0.state().calls.kill();
    }

    /// Power comes back. What was synced is there, and of the rest what is not `lost`; that is durable then. If nothing
    /// is lost, only the processes have died: what was not synced is there, and may be lost the next time.
    pub fn power_on(&self, lost: &Lost) {
        let mut state = self.0.state();
        let medium = state.medium().clone();
        state.go_on(medium, lost);
    }

    /// Puts the drive back to a moment of its record, when the power was cut then with that loss.
    pub fn restore_at(&self, moment: &Moment, lost: &Lost) {
        moment.put(&mut self.0.state(), lost);
    }
}

impl Default for Drive {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a strike has struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// There was nothing to strike, or not yet.
    No,
    /// It has.
    Yes,
}

impl FileSystem for Drive {
    fn vfs(&self) -> Option<&str> {
        Some(vfs::NAME)
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        let name = self.name(path)?;
        let mut state = self.0.state();
        state.calls.make(Call::Look)?;
        let file = state.find(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Found::File(state.len(file)))
    }

    fn follow(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    fn create_new(&self, path: &Path) -> io::Result<()> {
        let name = self.name(path)?;
        let mut state = self.0.state();
        if state.find(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.create(Some(name)).map(drop).map_err(io::Error::from)
    }

    fn open(&self, path: &Path, wanted: Wanted) -> io::Result<(Box<dyn RawFile>, Wanted)> {
        let name = self.name(path)?;
        let mut state = self.0.state();
        state.calls.make(Call::Open)?;
        let file = state.find(name).ok_or(io::ErrorKind::NotFound)?;
        let raw = DriveFile { drive: self.clone(), epoch: state.epoch(), file };
        Ok((Box::new(raw), wanted))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.name(from)?, self.name(to)?);
        let mut state = self.0.state();
        let file = state.find(from).ok_or(io::ErrorKind::NotFound)?;
        if state.find(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.name(to, file).map_err(io::Error::from)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.name(from)?, self.name(to)?);
        let mut state = self.0.state();
        state.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.rename(from, to).map_err(io::Error::from)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let name = self.name(path)?;
        let mut state = self.0.state();
        state.find(name).ok_or(io::ErrorKind::NotFound)?;
        state.remove(name).map_err(io::Error::from)
    }

    fn sync_directory_of(&self, path: &Path) -> io::Result<()> {
        self.name(path)?;
        self.0.state().sync_names().map_err(io::Error::from)
    }
}

/// An open file that SQLite has nothing to do with.
#[derive(Debug)]
struct DriveFile {
    drive: Drive,
    epoch: u64,
    file: FileId,
}

impl DriveFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.drive.0.state();
        if state.epoch() == self.epoch { Ok(state) } else { Err(io::Error::other("the power was cut")) }
    }
}

impl RawFile for DriveFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match self.state()?.read(self.file, offset, buf)? {
            len if len == buf.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.state()?.write(self.file, offset, data).map_err(io::Error::from)
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let zeros = vec![0; (range.end - range.start) as usize];
        self.write_all_at(&zeros, range.start)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state()?.resize(self.file, len).map_err(io::Error::from)
    }

    fn sync(&self) -> io::Result<()> {
        self.state()?.sync(self.file).map_err(io::Error::from)
    }
}
