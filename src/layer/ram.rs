//! A layer in memory: the quickest to make, and gone with the process.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;

use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, LayerIo, Presence, SectorMarker, UnmapBehavior, fillable, writable,
};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A sparse layer in memory; `None` is a zeroed sector.
#[derive(Debug)]
pub struct RamDiskLayer {
    geometry: Geometry,
    access: Access,
    sectors: RwLock<BTreeMap<u64, Option<Box<[u8]>>>>,
}

impl RamDiskLayer {
    /// An empty layer.
    pub fn new(geometry: Geometry, access: Access) -> Self {
        Self { geometry, access, sectors: RwLock::default() }
    }

    // A map is whole between any two statements here, so a thread that panicked elsewhere spoils nothing.
    fn map(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Option<Box<[u8]>>>> {
        self.sectors.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn map_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, Option<Box<[u8]>>>> {
        self.sectors.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn chunks<'a>(&self, range: Range<u64>, data: &'a [u8]) -> impl Iterator<Item = (u64, &'a [u8])> {
        range.zip(data.chunks_exact(self.geometry.sector_size() as usize))
    }
}

impl LayerIo for RamDiskLayer {
    fn metadata(&self) -> DiskLayerMetadata {
        DiskLayerMetadata {
            geometry: self.geometry,
            access: self.access,
            presence: Presence::Sparse,
            unmap: UnmapBehavior::Zeroes,
            identity: None,
            parent: None,
        }
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let range = self.geometry.check_buffer(sector, buf.len())?;
        for (&at, data) in self.map().range(range) {
            let bytes = self.geometry.bytes(sector, &(at..at + 1));
            match data {
                Some(data) => buf[bytes].copy_from_slice(data),
                None => buf[bytes].fill(0),
            }
            marker.set(at..at + 1);
        }
        Ok(())
    }

    fn write(&self, sector: u64, data: &[u8], _durability: Durability) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(range) = writable(self.access, range)? else { return Ok(()) };
        let mut map = self.map_mut();
        let cuts = |at| matches!(map.get(at), Some(None)) && planted(Fault::RamWriteCutsUnmappedRun);
        if cuts(&range.start) && cuts(&range.end) {
            map.remove(&range.end);
        }
        for (at, data) in self.chunks(range, data) {
            let old = map.insert(at, Some(data.into()));
            if planted(Fault::RamWriteEndsAtZeroed) && matches!(old, Some(None)) {
                break;
            }
        }
        Ok(())
    }

    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(range) = fillable(self.access, range)? else { return Ok(()) };
        let mut map = self.map_mut();
        for (at, data) in self.chunks(range, data) {
            let slot = map.entry(at).or_insert_with(|| Some(data.into()));
            if slot.is_none() && planted(Fault::RamFillCoversZeroed) {
                *slot = Some(data.into());
            }
        }
        Ok(())
    }

    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()> {
        let range = self.geometry.check_range(sector, count)?;
        let Some(range) = writable(self.access, range)? else { return Ok(()) };
        let mut map = self.map_mut();
        match below {
            Below::Something => {
                for at in range {
                    map.insert(at, None);
                }
            }
            Below::Nothing => {
                let mut tail = map.split_off(&range.start);
                if !planted(Fault::RamForgetLosesTail) {
                    map.append(&mut tail.split_off(&range.end));
                }
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        let map = self.map();
        let mut keys = map.range(sector..).map(|(&at, _)| at);
        let Some(start) = keys.next() else { return Ok(None) };
        let more = keys.zip(start + 1..).take_while(|(at, expected)| at == expected).count();
        Ok(Some(start..start + 1 + more as u64))
    }

    fn clear(&self) -> Result<()> {
        writable(self.access, 0..self.geometry.sector_count())?;
        self.map_mut().clear();
        Ok(())
    }
}
