//! What is left of somebody's own disk, which has no layers that could be read alone.

use std::hash::Hasher;

use super::tells_of_failure;
use crate::error::Error;
use crate::harness::divergence::Difference;
use crate::harness::{Runner, caught, compare};
use crate::oracle::{Stranger, When};

impl Runner<'_> {
    /// Whether it refuses to be read, as a disk does that no longer holds all it has acknowledged.
    pub(super) fn own_has_failed(&mut self) -> Result<bool, Difference> {
        let read = caught(|| self.read_own()).map_err(Difference::Panic)?;
        Ok(read.is_err_and(|error| tells_of_failure(error.kind())))
    }

    /// Takes what is there for what is left, if it may be.
    pub(super) fn survive_own(&mut self, layer: usize, floor: When) -> Result<(), Difference> {
        let read = caught(|| self.read_own()).map_err(Difference::Panic)?;
        let found = read.map_err(|error| Difference::Look { layer, message: error.to_string() })?;
        found.iter().for_each(|(_, bytes)| self.hash.write(bytes));
        match self.oracle.survive(layer, floor, &found) {
            Ok(states) => {
                self.states.note(states);
                Ok(())
            }
            Err(Stranger { sector, what }) => {
                let size = self.script.shape.sector_size as usize;
                let run = found.iter().rev().find(|(first, _)| *first <= sector);
                let bytes = run.and_then(|(first, bytes)| bytes.chunks_exact(size).nth((sector - first) as usize));
                let telling = bytes.map(|bytes| (sector, bytes.to_vec()));
                Err(Difference::Survival { layer: None, what, telling })
            }
        }
    }

    /// The disk, or a large one where the script touches it: runs of sectors, by the first of them.
    fn read_own(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let size = self.script.shape.sector_size as usize;
        let places = compare::told_by(&self.script.lines, self.oracle.sector_count(0));
        let mut found = Vec::new();
        for place in places {
            let mut bytes = vec![self.comparer.poison; (place.end - place.start) as usize * size];
            self.subject.read(place.start, &mut bytes)?;
            self.comparer.sectors += place.end - place.start;
            found.push((place.start, bytes));
        }
        Ok(found)
    }
}
