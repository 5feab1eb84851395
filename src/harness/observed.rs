//! A layer that counts what is asked of it, and otherwise gets out of the way.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::Result;
use crate::layer::{DiskLayerMetadata, Identity, LayerIo, Parent, SectorMarker};
use crate::request::{Below, Durability};
use crate::script::Touched;

/// What has been asked of a layer and done since the last look.
#[derive(Default)]
pub(super) struct Counters {
    read: AtomicU64,
    written: AtomicU64,
    filled: AtomicU64,
    unmapped: AtomicU64,
    flushed: AtomicU64,
}

impl Counters {
    pub(super) fn take(&self) -> Touched {
        Touched {
            read: self.read.swap(0, Relaxed),
            written: self.written.swap(0, Relaxed),
            filled: self.filled.swap(0, Relaxed),
            unmapped: self.unmapped.swap(0, Relaxed),
            flushed: self.flushed.swap(0, Relaxed),
        }
    }
}

pub(super) struct Observed {
    layer: Arc<dyn LayerIo>,
    counters: Arc<Counters>,
    sector_size: u64,
}

impl Observed {
    pub(super) fn new(layer: Arc<dyn LayerIo>, counters: Arc<Counters>) -> Self {
        let sector_size = layer.metadata().geometry.sector_size().into();
        Self { layer, counters, sector_size }
    }

    fn count(&self, counter: &AtomicU64, sectors: u64, result: Result<()>) -> Result<()> {
        if result.is_ok() {
            counter.fetch_add(sectors, Relaxed);
        }
        result
    }

    fn sectors(&self, buf: &[u8]) -> u64 {
        buf.len() as u64 / self.sector_size
    }
}

impl LayerIo for Observed {
    fn metadata(&self) -> DiskLayerMetadata {
        self.layer.metadata()
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let sectors = self.sectors(buf);
        self.count(&self.counters.read, sectors, self.layer.read(sector, buf, marker))
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        self.count(&self.counters.written, self.sectors(data), self.layer.write(sector, data, durability))
    }

    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        self.count(&self.counters.filled, self.sectors(data), self.layer.write_no_overwrite(sector, data))
    }

    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()> {
        self.count(&self.counters.unmapped, count, self.layer.unmap(sector, count, below))
    }

    fn flush(&self) -> Result<()> {
        self.count(&self.counters.flushed, 1, self.layer.flush())
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        self.layer.next_extent(sector)
    }

    fn zeroed_until(&self, sector: u64) -> Result<u64> {
        self.layer.zeroed_until(sector)
    }

    fn clear(&self) -> Result<()> {
        self.layer.clear()
    }

    fn coming_identity(&self) -> Result<Option<Identity>> {
        self.layer.coming_identity()
    }

    fn seal(&self) {
        self.layer.seal();
    }

    fn record_parent(&self, parent: &Parent) -> Result<()> {
        self.layer.record_parent(parent)
    }

    fn verify(&self) -> Result<()> {
        self.layer.verify()
    }

    fn close(&self) -> Result<()> {
        self.layer.close()
    }
}
