//! What can be said to the oracle before a script, and asked of it at any time.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use super::{Cell, Model, Oracle, held};
use crate::fault::{Fault, planted};
use crate::layer::{Access, Presence, UnmapBehavior};
use crate::script::{LayerKind, Touched};
use crate::strike::Keeps;

impl Oracle {
    /// Says what somebody's own disk declares to do with unmapped sectors.
    pub fn declare_unmap(&mut self, behavior: UnmapBehavior) {
        self.own_unmap = behavior;
    }

    /// Says what somebody's own disk keeps when its power is cut.
    pub fn declare_keeps(&mut self, keeps: Keeps) {
        self.own_keeps = keeps;
    }

    /// Says what layer `index` held before the script: `extents` of `bytes`, each at its own offset.
    pub fn hold(&mut self, index: usize, extents: &[Range<u64>], bytes: &Arc<File>) {
        let cell = Cell::Held(self.held.len());
        self.held.push(bytes.clone());
        let sectors = &mut self.layers[index].sectors;
        sectors.clear();
        extents.iter().for_each(|extent| sectors.set(extent.clone(), Some(cell)));
    }

    /// Says that layer `index` was opened read only.
    pub fn freeze(&mut self, index: usize) {
        self.layers[index].frozen = true;
    }

    /// Number of layers.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// Size of layer `index` in sectors.
    pub fn sector_count(&self, index: usize) -> u64 {
        self.layers[index].shape.sector_count
    }

    /// Who may change layer `index` now.
    pub fn access(&self, index: usize) -> Access {
        self.layers[index].access()
    }

    /// What layer `index` says of itself, identity and parent aside: size of a sector, number of sectors, who may change
    /// it, whether sectors may be absent, what becomes of unmapped ones.
    pub fn metadata(&self, index: usize) -> (u32, u64, Access, Presence, UnmapBehavior) {
        let (presence, unmap) = match self.kind(index) {
            LayerKind::Sqlite | LayerKind::Ram => (Presence::Sparse, UnmapBehavior::Zeroes),
            LayerKind::File => (Presence::Full, UnmapBehavior::Zeroes),
            LayerKind::Own => (Presence::Full, self.own_unmap),
        };
        (self.sector_size, self.sector_count(index), self.access(index), presence, unmap)
    }

    /// What layer `index` is.
    pub fn kind(&self, index: usize) -> LayerKind {
        self.layers[index].shape.kind
    }

    /// How far layer `index` shows through those above (rule 10).
    pub fn visible(&self, index: usize) -> u64 {
        let above = if planted(Fault::OracleIgnoresUpperSizes) { index } else { 0 };
        self.layers[above..=index].iter().map(|layer| layer.shape.sector_count).min().unwrap_or(0)
    }

    /// The present sectors of layer `index`, as runs that do not touch.
    pub fn runs(&self, index: usize) -> Vec<Range<u64>> {
        self.layers[index].sectors.runs()
    }

    /// How much of each layer the last operation touched.
    pub fn touched(&self) -> &[Touched] {
        &self.touched
    }

    /// What layer `index` must hold of the sectors at `first`: into `buf`, and which of them are there.
    pub fn look(&self, index: usize, first: u64, buf: &mut [u8]) -> Vec<bool> {
        let sectors = &self.layers[index].sectors;
        let size = self.sector_size as usize;
        let look = |(sector, buf): (u64, &mut [u8])| match sectors.get(sector) {
            Some(cell) => {
                self.render(cell, sector, buf);
                true
            }
            None => false,
        };
        (first..).zip(buf.chunks_exact_mut(size)).map(look).collect()
    }

    /// The generation of layer `index`, and those that it has recorded of its parent: the one it was made over, and the
    /// one to come.
    pub fn lineage(&self, index: usize) -> (Option<u64>, [Option<u64>; 2]) {
        self.layers[index].lineage.recorded()
    }

    pub(super) fn render(&self, cell: Cell, sector: u64, buf: &mut [u8]) {
        match cell {
            Cell::Said(content) => content.render(sector, buf.len(), buf),
            Cell::Held(file) => held::read(&self.held[file], sector, buf),
            Cell::Survived(at) => buf.copy_from_slice(&self.survived[at]),
        }
    }
}

impl Model {
    pub(super) fn access(&self) -> Access {
        match self.shape.kind {
            _ if self.frozen => Access::ReadOnly,
            LayerKind::File if self.shape.read_only => Access::ReadOnly,
            _ if self.shape.read_only => Access::LogicallyReadOnly,
            _ => Access::ReadWrite,
        }
    }
}
