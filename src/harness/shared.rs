//! A disk that several threads use at once.

use std::sync::Arc;

use super::Subject;
use super::subject::unable;
use crate::error::Result;
use crate::layer::LayerIo;
use crate::request::Durability;
use crate::stack::LayeredDisk;

/// How threads go about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// One at a time, changing over where the script says: what happened once happens again.
    #[default]
    TakeTurns,
    /// As the system lets them; the script says nothing about that.
    RunFree,
}

/// A disk under test that may be called from any thread (rule 23). Threads that take turns change over at the locks of
/// [`sync`](crate::sync); a disk with locks of another kind is called by one thread at a time, unless they run free.
pub trait Shared: Sync {
    /// Fills `buf` with the sectors at `sector`.
    fn read(&self, sector: u64, buf: &mut [u8]) -> Result<()>;

    /// Writes `data` at `sector`.
    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()>;

    /// Unmaps `count` sectors at `sector`, which read as zeros afterwards.
    fn unmap(&self, sector: u64, count: u64) -> Result<()>;

    /// Makes everything acknowledged durable.
    fn flush(&self) -> Result<()>;

    /// Moves the sectors of the top layer down.
    fn commit(&self) -> Result<()> {
        Err(unable())
    }

    /// Layer `index`, counted from the top.
    fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        let _ = index;
        None
    }
}

impl Shared for LayeredDisk {
    fn read(&self, sector: u64, buf: &mut [u8]) -> Result<()> {
        Self::read(self, sector, buf)
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        Self::write(self, sector, data, durability)
    }

    fn unmap(&self, sector: u64, count: u64) -> Result<()> {
        Self::unmap(self, sector, count)
    }

    fn flush(&self) -> Result<()> {
        Self::flush(self)
    }

    fn commit(&self) -> Result<()> {
        Self::commit(self)
    }

    fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        Self::layer(self, index)
    }
}

/// What one of the threads has of the disk.
pub(super) struct Hand<'a>(pub(super) &'a dyn Shared);

impl Subject for Hand<'_> {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.0.read(sector, buf)
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        self.0.write(sector, data, durability)
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        self.0.unmap(sector, count)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    fn commit(&mut self) -> Result<()> {
        self.0.commit()
    }

    fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        self.0.layer(index)
    }
}
