//! Reading the disk, and what of it is kept in the read caches (rule 11).

use std::ops::Range;

use super::{Oracle, inside, refused};
use crate::error::ErrorKind;
use crate::fault::{Fault, planted};
use crate::script::Outcome;

impl Oracle {
    pub(super) fn read(&mut self, sector: u64, count: u32, buf: &mut [u8]) -> Outcome {
        if !inside(sector, count.into(), self.sector_count(0)) {
            return refused(ErrorKind::OutOfRange);
        }
        let size = self.sector_size as usize;
        let sectors = (sector..).zip(buf.chunks_exact_mut(size));
        let mut found: Vec<(u64, usize)> =
            sectors.filter_map(|(at, buf)| Some((at, self.read_sector(at, buf)?))).collect();
        // The caches are filled from one layer after the other, run by run.
        found.sort_by_key(|&(sector, layer)| (layer, sector));
        for run in found.chunk_by(|one, next| one.1 == next.1 && one.0 + 1 == next.0) {
            self.keep(run[0].0..run[0].0 + run.len() as u64, run[0].1);
        }
        Outcome::Done
    }

    /// Reads a sector of the disk; the layer that has it.
    fn read_sector(&mut self, sector: u64, buf: &mut [u8]) -> Option<usize> {
        for index in 0..self.layers.len() {
            if sector >= self.visible(index) {
                break;
            }
            self.touched[index].read += 1;
            if let Some(cell) = self.layers[index].sectors.get(sector) {
                self.render(cell, sector, buf);
                return Some(index);
            }
        }
        buf.fill(0);
        None
    }

    /// Puts sectors that layer `from` has into the caches above it.
    fn keep(&mut self, run: Range<u64>, from: usize) {
        let from = if planted(Fault::OracleKeepsNothing) { 0 } else { from };
        for above in (0..from).filter(|&above| self.layers[above].shape.read_cache).collect::<Vec<_>>() {
            self.touched[above].filled += run.end - run.start;
            for sector in run.clone() {
                let cell = self.layers[from].sectors.get(sector);
                self.layers[above].sectors.set(sector..sector + 1, cell);
            }
            self.mark_fill(above, &run);
        }
    }
}
