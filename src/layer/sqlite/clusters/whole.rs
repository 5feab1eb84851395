//! A cluster whose row is at hand as a whole.

use std::ops::Range;

use super::head::{Head, LEN, TAIL};
use super::shape::{Shape, runs};

/// The sectors of a cluster.
pub(in super::super) struct Whole {
    first: u64,
    present: u64,
    data: u64,
    sector_size: usize,
    /// Of all sectors; those without any are zeros.
    bytes: Vec<u8>,
}

impl Shape {
    /// What the row of a cluster says; nothing if it is damaged.
    pub(in super::super) fn decode(&self, cluster: u64, row: &[u8]) -> Option<Whole> {
        let room = self.room(row.len())?;
        let head = Head::decode(row.first_chunk::<LEN>()?);
        if !head.is_sound(self, self.sectors(cluster), room) {
            return None;
        }
        let mut bytes = vec![0; self.blocks() * self.block_size()];
        for (place, block) in head.places.iter().zip(bytes.chunks_exact_mut(self.block_size())) {
            if *place > 0 {
                let (chunk, tail) = block.split_at_mut(self.chunk());
                chunk.copy_from_slice(&row[self.chunk_at(*place)..][..self.chunk()]);
                tail[..TAIL].copy_from_slice(&head.tails[usize::from(*place) - 1]);
            }
        }
        let (first, sector_size) = (self.first_sector(cluster), self.sector_size());
        Some(Whole { first, present: head.present, data: head.data, sector_size, bytes })
    }
}

impl Whole {
    /// The runs of present sectors; those without bytes are zeros.
    pub(in super::super) fn runs(&self) -> impl Iterator<Item = (Range<u64>, Option<&[u8]>)> {
        let sectors = |run: &Range<u64>| self.first + run.start..self.first + run.end;
        let zeros = runs(self.present & !self.data).map(move |run| (sectors(&run), None));
        let data = runs(self.data).map(move |run| {
            (
                sectors(&run),
                Some(&self.bytes[run.start as usize * self.sector_size..run.end as usize * self.sector_size]),
            )
        });
        zeros.chain(data)
    }
}
