//! A disk as the bottom layer of another.

use std::ops::Range;

use super::{DiskAccess, LayeredDisk};
use crate::error::Result;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, Identity, LayerIo, Presence, SectorMarker, UnmapBehavior, readable,
};

impl LayeredDisk {
    /// The layer whose state is the state of the disk, as far as identities go.
    fn top(&self) -> std::sync::Arc<dyn LayerIo> {
        self.stack().layers[0].io.clone()
    }
}

impl LayerIo for LayeredDisk {
    fn metadata(&self) -> DiskLayerMetadata {
        DiskLayerMetadata {
            geometry: self.geometry(),
            access: match self.access() {
                DiskAccess::Writable => Access::ReadWrite,
                DiskAccess::ReadOnly => Access::ReadOnly,
            },
            presence: Presence::Full,
            unmap: UnmapBehavior::Zeroes,
            identity: self.top().metadata().identity,
            parent: None,
        }
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let range = readable(self.geometry(), sector, buf, marker)?;
        LayeredDisk::read(self, sector, buf)?;
        marker.set(range);
        Ok(())
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        LayeredDisk::write(self, sector, data, durability)
    }

    fn unmap(&self, sector: u64, count: u64, _below: Below) -> Result<()> {
        LayeredDisk::unmap(self, sector, count)
    }

    fn flush(&self) -> Result<()> {
        LayeredDisk::flush(self)
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        let count = self.geometry().sector_count();
        Ok((sector < count).then_some(sector..count))
    }

    fn coming_identity(&self) -> Result<Option<Identity>> {
        self.top().coming_identity()
    }

    fn seal(&self) {
        self.top().seal();
    }

    fn close(&self) -> Result<()> {
        LayeredDisk::close(self)
    }
}
