//! Disks whose unmap is `Unspecified`: each sector keeps its bytes, or reads as zeros or as what lies below; once it
//! has been seen it stays so until it is written.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Cell, Oracle, ZEROS};
use crate::script::LayerKind;

/// Sectors of somebody's own disk that may hold any of these.
pub(super) type Loose = BTreeMap<u64, Vec<Cell>>;

impl Oracle {
    pub(super) fn loosen(&mut self, index: usize, range: Range<u64>) {
        for sector in range {
            let below = self.layers[index + 1..].iter().find_map(|layer| layer.sectors.get(sector));
            let old = self.layers[index].sectors.get(sector);
            let cells = [old, Some(ZEROS), below].into_iter().flatten().collect();
            self.loose.entry(sector).or_insert(cells);
        }
    }

    /// Takes note of what a read of the disk has found, where the contract leaves it open: call it before comparing.
    pub fn settle(&mut self, first: u64, bytes: &[u8]) {
        if self.loose.is_empty() {
            return;
        }
        let Some(own) = self.layers.iter().position(|layer| layer.shape.kind == LayerKind::Own) else { return };
        let mut expected = vec![0; self.sector_size as usize];
        for (sector, actual) in (first..).zip(bytes.chunks_exact(expected.len())) {
            let Some(cells) = self.loose.get(&sector) else { continue };
            let found = cells.clone().into_iter().find(|&cell| {
                self.render(cell, sector, &mut expected);
                expected == actual
            });
            if let Some(cell) = found {
                self.layers[own].sectors.set(sector..sector + 1, Some(cell));
                self.loose.remove(&sector);
            }
        }
    }
}
