//! A disk that can be used, and looked at layer by layer.

use std::sync::Arc;

use disklayer_sqlite::error::Result;
use disklayer_sqlite::harness::{Abilities, Subject};
use disklayer_sqlite::layer::{Durability, LayerIo};
use disklayer_sqlite::stack::LayeredDisk;

pub(super) struct DiskSubject<'a>(pub(super) &'a LayeredDisk);

impl Subject for DiskSubject<'_> {
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

    fn abilities(&self) -> Abilities {
        Abilities { layers: true, ..Abilities::default() }
    }

    fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        self.0.layer(index)
    }
}
