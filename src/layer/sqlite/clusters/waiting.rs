//! Parts of clusters that wait: short writes gather here, and go to SQLite cluster by cluster, in order.
//!
//! Each change of a row takes SQLite down its tree, changes a page with heads, and makes a row that must grow anew. What
//! many short writes change in a cluster it is told once, before the commit at the latest; until then a read lays it over
//! what the row has. So writes in any order reach the log and the file in the order of the disk.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Known;
use super::head::BLOCKS;
use super::shape::{Shape, bits, runs};
use crate::fault::{Fault, planted};
use crate::layer::SectorMarker;

#[derive(Default)]
pub(super) struct Waiting {
    parts: BTreeMap<u64, Part>,
    /// Bytes of all blocks.
    len: usize,
    /// Room to put a cluster together, with what is left there of others.
    pub(super) room: Vec<u8>,
}

/// What a cluster is without what waits for it, which nobody changes meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) known: Known,
    /// The sectors that the layer has.
    pub(super) present: u64,
    /// A bit for each block that has a place.
    pub(super) blocks: u64,
    /// Whether all of its row was read, or there is none.
    pub(super) is_read: bool,
}

/// What waits for one cluster.
pub(super) struct Part {
    pub(super) stored: Stored,
    /// The sectors that wait.
    pub(super) sectors: u64,
    /// Their bytes, within blocks.
    blocks: [Option<Box<[u8]>>; BLOCKS],
}

impl Waiting {
    pub(super) fn get(&self, cluster: u64) -> Option<&Part> {
        self.parts.get(&cluster)
    }

    /// The first cluster from `cluster` on of which something waits.
    pub(super) fn next(&self, cluster: u64) -> Option<u64> {
        self.parts.range(cluster..).next().map(|(&cluster, _)| cluster)
    }

    /// Bytes of the blocks. Requests of whole blocks come to the limit of what may wait for a commit at the same time, so
    /// that what is stored is committed: a page that is changed once more after it went to the log costs the sums of all
    /// that lies behind it there.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Has the sectors of `mask` wait, of a cluster that is `stored` so; their bytes are in `data`, which begins with
    /// `first`.
    pub(super) fn put(
        &mut self,
        shape: &Shape,
        (cluster, stored): (u64, Stored),
        mask: u64,
        (data, first): (&[u8], u64),
    ) {
        let part = self.parts.entry(cluster).or_insert_with(|| Part::begun(stored));
        part.stored = stored;
        part.sectors |= mask;
        for run in runs(mask) {
            let mut rest = &data[(run.start - first) as usize * shape.sector_size()..];
            for (block, bytes) in shape.blocks_of(&run) {
                let (now, later) = rest.split_at(bytes.len());
                rest = later;
                match &mut part.blocks[block] {
                    Some(block) => block[bytes].copy_from_slice(now),
                    empty => {
                        self.len += shape.block_size();
                        let mut block = Vec::with_capacity(shape.block_size());
                        block.resize(bytes.start, 0);
                        block.extend_from_slice(now);
                        block.resize(shape.block_size(), 0);
                        *empty = Some(block.into_boxed_slice());
                    }
                }
            }
        }
    }

    /// Whether all sectors of `range` wait.
    pub(super) fn has_all(&self, shape: &Shape, range: &Range<u64>) -> bool {
        let waits = |cluster| {
            let wanted = bits(shape.part(range, cluster));
            self.get(cluster).is_some_and(|part| part.sectors & wanted == wanted)
        };
        shape.touched(range).all(waits)
    }

    /// Fills and marks the sectors of `range` that wait.
    pub(super) fn read(&self, shape: &Shape, range: &Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) {
        for (&cluster, part) in self.parts.range(shape.touched(range)) {
            let first = shape.first_sector(cluster);
            for run in runs(part.sectors & bits(shape.part(range, cluster))) {
                let mut rest = &mut buf[(first + run.start - range.start) as usize * shape.sector_size()..];
                for (block, bytes) in shape.blocks_of(&run) {
                    let (now, later) = rest.split_at_mut(bytes.len());
                    rest = later;
                    if let Some(block) = &part.blocks[block] {
                        now.copy_from_slice(&block[bytes]);
                    }
                }
                marker.set(first + run.start..first + run.end);
            }
        }
    }

    /// Takes what waits for the first of `clusters` for which something does.
    pub(super) fn take_first(&mut self, shape: &Shape, clusters: Range<u64>) -> Option<(u64, Part)> {
        let (&cluster, _) = self.parts.range(clusters).next()?;
        let part = self.parts.remove(&cluster)?;
        self.len -= part.blocks.iter().flatten().count() * shape.block_size();
        Some((cluster, part))
    }
}

impl Part {
    fn begun(stored: Stored) -> Self {
        Self { stored, sectors: 0, blocks: Default::default() }
    }

    /// The sectors that are to be stored.
    pub(super) fn sectors(&self, shape: &Shape) -> u64 {
        if planted(Fault::WaitingBlockTakenWhole) {
            let waits = (0..BLOCKS).filter(|block| self.blocks[*block].is_some());
            let whole = waits.fold(0, |sectors, block| sectors | shape.sectors_in(block));
            return self.sectors | whole & self.stored.present;
        }
        self.sectors
    }

    /// Puts the bytes of its blocks where they lie in the cluster.
    pub(super) fn lay_out(&self, cluster: &mut [u8], shape: &Shape) {
        for (to, block) in cluster.chunks_exact_mut(shape.block_size()).zip(&self.blocks) {
            if let Some(block) = block {
                to.copy_from_slice(block);
            }
        }
    }
}
