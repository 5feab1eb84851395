//! A layer in memory: the quickest to make, and gone with the process.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;

use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::runs::Runs;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, LayerIo, Presence, SectorMarker, UnmapBehavior, fillable, readable,
    writable,
};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A sparse layer in memory. It takes memory for each sector that has bytes, and for each run of zeroed ones.
#[derive(Debug)]
pub struct RamDiskLayer {
    geometry: Geometry,
    access: Access,
    sectors: RwLock<Sectors>,
}

/// What is present: no sector is in both.
#[derive(Debug, Default)]
struct Sectors {
    data: BTreeMap<u64, Box<[u8]>>,
    zeroed: Runs,
}

impl Sectors {
    fn is_zeroed(&self, sector: u64) -> bool {
        self.zeroed.at(sector).is_some()
    }

    /// Takes out all bytes of a range and those behind it, and returns the latter.
    fn cut_out(&mut self, range: &Range<u64>) -> BTreeMap<u64, Box<[u8]>> {
        self.data.split_off(&range.start).split_off(&range.end)
    }

    /// Where the run of present sectors ends that begins at a present one.
    fn run_end(&self, start: u64) -> u64 {
        let mut end = start;
        loop {
            end = match self.zeroed.at(end) {
                Some(zeroed) => zeroed.end,
                None => {
                    let data = self.data.range(end..).zip(end..);
                    let count = data.take_while(|((at, _), expected)| *at == expected).count();
                    if count == 0 {
                        return end;
                    }
                    end + count as u64
                }
            };
        }
    }
}

impl RamDiskLayer {
    /// An empty layer.
    pub fn new(geometry: Geometry, access: Access) -> Self {
        Self { geometry, access, sectors: RwLock::default() }
    }

    // The sectors are whole between any two statements here, so a thread that panicked elsewhere spoils nothing.
    fn sectors(&self) -> RwLockReadGuard<'_, Sectors> {
        self.sectors.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn sectors_mut(&self) -> RwLockWriteGuard<'_, Sectors> {
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
        let range = readable(self.geometry, sector, buf, marker)?;
        let sectors = self.sectors();
        for (&at, data) in sectors.data.range(range.clone()) {
            buf[self.geometry.bytes(sector, &(at..at + 1))].copy_from_slice(data);
            marker.set(at..at + 1);
        }
        for zeroed in sectors.zeroed.within(range) {
            buf[self.geometry.bytes(sector, &zeroed)].fill(0);
            marker.set(zeroed);
        }
        Ok(())
    }

    fn write(&self, sector: u64, data: &[u8], _durability: Durability) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(mut range) = writable(self.access, range)? else { return Ok(()) };
        let mut sectors = self.sectors_mut();
        if planted(Fault::RamWriteCutsUnmappedRun) && [range.start, range.end].iter().all(|at| sectors.is_zeroed(*at)) {
            sectors.zeroed.remove(range.end..range.end + 1);
        }
        if planted(Fault::RamWriteEndsAtZeroed)
            && let Some(zeroed) = sectors.zeroed.within(range.clone()).next()
        {
            range.end = zeroed.start + 1;
        }
        sectors.zeroed.remove(range.clone());
        sectors.data.extend(self.chunks(range, data).map(|(at, data)| (at, data.into())));
        Ok(())
    }

    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(range) = fillable(self.access, range)? else { return Ok(()) };
        let mut sectors = self.sectors_mut();
        for (at, data) in self.chunks(range, data) {
            if planted(Fault::RamFillCoversZeroed) {
                sectors.zeroed.remove(at..at + 1);
            }
            if !sectors.is_zeroed(at) {
                sectors.data.entry(at).or_insert_with(|| data.into());
            }
        }
        Ok(())
    }

    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()> {
        let range = self.geometry.check_range(sector, count)?;
        let Some(range) = writable(self.access, range)? else { return Ok(()) };
        let mut sectors = self.sectors_mut();
        let mut tail = sectors.cut_out(&range);
        match below {
            Below::Nothing if planted(Fault::RamForgetLosesTail) => {
                sectors.zeroed.remove(range.start..self.geometry.sector_count());
                return Ok(());
            }
            Below::Nothing => sectors.zeroed.remove(range),
            Below::Something => sectors.zeroed.insert(range),
        }
        sectors.data.append(&mut tail);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        let sectors = self.sectors();
        let data = sectors.data.range(sector..).next().map(|(&at, _)| at);
        let zeroed = sectors.zeroed.from(sector).map(|run| run.start);
        let start = data.into_iter().chain(zeroed).min();
        Ok(start.map(|start| start..sectors.run_end(start)))
    }

    fn zeroed_until(&self, sector: u64) -> Result<u64> {
        Ok(self.sectors().zeroed.at(sector).map_or(sector, |run| run.end))
    }

    fn clear(&self) -> Result<()> {
        writable(self.access, 0..self.geometry.sector_count())?;
        *self.sectors_mut() = Sectors::default();
        Ok(())
    }
}
