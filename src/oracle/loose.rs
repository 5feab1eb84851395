//! Sectors that may hold one thing or another, each until it is seen or written: those of a disk whose unmap is
//! `Unspecified` keep their bytes, or read as zeros or as what lies below; and those of somebody's own disk whose power
//! was cut may be as they were at some time.

use std::ops::Range;

use super::extents::{Extents, pieces};
use super::{Cell, Oracle, ZEROS};
use crate::script::LayerKind;

/// Sectors of somebody's own disk that may hold any of these.
#[derive(Clone)]
pub(super) struct Loose {
    sectors: Extents<usize>,
    /// What they may hold, by its number.
    cells: Vec<Vec<Cell>>,
}

impl Loose {
    pub(super) fn new() -> Self {
        Self { sectors: Extents::new(), cells: Vec::new() }
    }

    /// What a sector may hold, if that is open.
    pub(super) fn get(&self, sector: u64) -> Option<&[Cell]> {
        self.sectors.get(sector).map(|number| &*self.cells[number])
    }

    /// Leaves open which of `cells` is in `range`.
    pub(super) fn set(&mut self, range: Range<u64>, cells: Vec<Cell>) {
        if self.cells.last() != Some(&cells) {
            self.cells.push(cells);
        }
        self.sectors.set(range, Some(self.cells.len() - 1));
    }

    /// It is known what is in `range`.
    pub(super) fn settle(&mut self, range: Range<u64>) {
        self.sectors.set(range, None);
    }

    pub(super) fn borders(&self) -> impl Iterator<Item = u64> + '_ {
        self.sectors.borders()
    }

    fn is_empty(&self) -> bool {
        self.sectors.borders().next().is_none()
    }
}

impl Oracle {
    pub(super) fn loosen(&mut self, index: usize, range: Range<u64>) {
        let borders = self.layers[index..].iter().flat_map(|layer| layer.sectors.borders());
        for piece in pieces(range, borders.chain(self.loose.borders())) {
            let below = self.layers[index + 1..].iter().find_map(|layer| layer.sectors.get(piece.start));
            let old = self.layers[index].sectors.get(piece.start);
            let old: Vec<Cell> =
                self.loose.get(piece.start).map_or_else(|| old.into_iter().collect(), <[Cell]>::to_vec);
            let mut cells = Vec::new();
            for cell in old.into_iter().chain([ZEROS]).chain(below) {
                if !cells.contains(&cell) {
                    cells.push(cell);
                }
            }
            self.loose.set(piece, cells);
        }
    }

    /// Takes note of what a read of the disk has found, where the contract leaves it open: call it before comparing.
    pub fn settle(&mut self, first: u64, bytes: &[u8]) {
        if self.loose.is_empty() {
            return;
        }
        let Some(own) = self.layers.iter().position(|layer| layer.shape.kind == LayerKind::Own) else { return };
        for (sector, actual) in (first..).zip(bytes.chunks_exact(self.sector_size as usize)) {
            let Some(cells) = self.loose.get(sector) else { continue };
            if let Some(cell) = self.one_of(cells, sector, actual) {
                self.layers[own].sectors.set(sector..sector + 1, Some(cell));
                self.loose.settle(sector..sector + 1);
                if let Some(chronicle) = &mut self.chronicle {
                    chronicle.settle(own, sector, cell);
                }
            }
        }
    }

    /// The one of `cells` that is in a sector of these bytes.
    pub(super) fn one_of(&self, cells: &[Cell], sector: u64, actual: &[u8]) -> Option<Cell> {
        let mut expected = vec![0; actual.len()];
        cells.iter().copied().find(|&cell| {
            self.render(cell, sector, &mut expected);
            expected == actual
        })
    }
}
