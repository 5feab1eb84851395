//! What every system under measurement can do. Offsets and lengths are bytes, and whole sectors.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a sector, for those systems that have one.
pub(crate) const SECTOR: usize = 512;

/// Bytes that are imported at a time.
const PORTION: usize = 1 << 20;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// An open disk.
pub(crate) trait Disk {
    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<()>;

    fn write(&mut self, at: u64, data: &[u8]) -> Result<()>;

    /// Makes the bytes read as zeros, and gives back what held them if it can.
    fn unmap(&mut self, at: u64, len: u64) -> Result<()>;

    /// Returns when everything that was written survives power loss.
    fn flush(&mut self) -> Result<()>;

    fn close(self: Box<Self>) -> Result<()>;

    /// Fills the disk, which is empty, with an image. A system with a better way than writes overrides it.
    fn import(&mut self, source: &mut File) -> Result<()> {
        let mut portion = vec![0; PORTION];
        let mut at = 0;
        loop {
            let len = source.read(&mut portion)?;
            if len == 0 {
                return Ok(());
            }
            self.write(at, &portion[..len])?;
            at += len as u64;
        }
    }
}

/// Whether a system has layers of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layering {
    /// Differencing layers.
    Layers,
    /// None: what the others keep in several layers is in one file here.
    Flat,
}

/// Whether a sync would change anything; for systems that do not keep account themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Synced,
    Changed,
}

/// A way to keep a disk in a file.
pub(crate) trait System {
    /// Makes a disk of `size` bytes without data.
    fn create(&self, path: &Path, size: u64) -> Result<Box<dyn Disk>>;

    fn open(&self, path: &Path, size: u64) -> Result<Box<dyn Disk>>;

    fn layering(&self) -> Layering;

    /// Makes an empty differencing layer over the layers `below`, the nearest first, which are only read.
    fn create_over(&self, path: &Path, below: &[PathBuf], size: u64) -> Result<Box<dyn Disk>>;

    fn open_over(&self, path: &Path, below: &[PathBuf], size: u64) -> Result<Box<dyn Disk>>;

    /// Makes an empty read cache for a raw image; `None` if the system has no such thing.
    fn create_cache(&self, path: &Path, image: &Path, size: u64) -> Result<Option<Box<dyn Disk>>>;

    /// Opens a cache again.
    fn open_cache(&self, path: &Path, image: &Path, size: u64) -> Result<Box<dyn Disk>>;
}
