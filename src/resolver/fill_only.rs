//! A cache outside the write path.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::layer::{Access, Below, DiskLayerMetadata, Durability, Identity, LayerIo, Parent, SectorMarker};

/// A layer that is filled and takes no writes, and passes for what it caches.
///
/// A commit into it, or a discard of the layer above, would leave the only copy of a write in a file that may be thrown
/// away: so it is logically read only. A layer above that remembered the cache as its parent could not be opened
/// without it: so it has the identity of the disk below.
pub(super) struct FillOnly {
    cache: Arc<dyn LayerIo>,
    identity: Option<Identity>,
}

impl FillOnly {
    pub(super) fn new(cache: Arc<dyn LayerIo>, identity: Option<Identity>) -> Self {
        Self { cache, identity }
    }

    fn refuse(&self, range: Range<u64>) -> Result<()> {
        match range.is_empty() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::ReadOnly, "a change of a cache").at_sector(range.start)),
        }
    }
}

impl LayerIo for FillOnly {
    fn metadata(&self) -> DiskLayerMetadata {
        let metadata = self.cache.metadata();
        let access = match metadata.access {
            Access::ReadWrite | Access::LogicallyReadOnly => Access::LogicallyReadOnly,
            Access::ReadOnly => Access::ReadOnly,
        };
        DiskLayerMetadata { access, identity: self.identity, ..metadata }
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        self.cache.read(sector, buf, marker)
    }

    fn write(&self, sector: u64, data: &[u8], _durability: Durability) -> Result<()> {
        self.refuse(self.metadata().geometry.check_buffer(sector, data.len())?)
    }

    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        self.cache.write_no_overwrite(sector, data)
    }

    fn unmap(&self, sector: u64, count: u64, _below: Below) -> Result<()> {
        self.refuse(self.metadata().geometry.check_range(sector, count)?)
    }

    fn flush(&self) -> Result<()> {
        self.cache.flush()
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        self.cache.next_extent(sector)
    }

    fn zeroed_until(&self, sector: u64) -> Result<u64> {
        self.cache.zeroed_until(sector)
    }

    fn clear(&self) -> Result<()> {
        self.refuse(0..self.metadata().geometry.sector_count())
    }

    fn record_parent(&self, parent: &Parent) -> Result<()> {
        self.cache.record_parent(parent)
    }

    fn close(&self) -> Result<()> {
        self.cache.close()
    }
}
