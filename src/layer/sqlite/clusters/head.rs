//! The head of a cluster: which sectors it has, which blocks are stored, and the last bytes of each.

use super::shape::Shape;
use crate::fault::{Fault, planted};

/// Bytes of the head that mean something; what follows them up to [`Shape::head`] is zero.
pub(in crate::layer::sqlite) const LEN: usize = 96;
/// A block's last bytes lie here, and the rest of it fills one page of SQLite's but for that page's own four bytes.
pub(in crate::layer::sqlite) const TAIL: usize = 4;
/// The most blocks of a cluster.
pub(in crate::layer::sqlite) const BLOCKS: usize = 16;

/// What a cluster says of its sectors and blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::layer::sqlite) struct Head {
    /// A bit for each present sector.
    pub(in crate::layer::sqlite) present: u64,
    /// A bit for each of those that has bytes; the others are zeros.
    pub(in crate::layer::sqlite) data: u64,
    /// For each block the place of its bytes, counted from one; zero if it has none.
    pub(in crate::layer::sqlite) places: [u8; BLOCKS],
    /// For each place the last bytes of its block.
    pub(in crate::layer::sqlite) tails: [[u8; TAIL]; BLOCKS],
}

impl Head {
    /// Every sector zeroed.
    pub(in crate::layer::sqlite) fn zeroed(sectors: u64) -> Self {
        Self { present: sectors, ..Self::default() }
    }

    pub(in crate::layer::sqlite) fn decode(bytes: &[u8; LEN]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        Self {
            present: word(0),
            data: word(8),
            places: std::array::from_fn(|n| bytes[16 + n]),
            tails: std::array::from_fn(|place| std::array::from_fn(|n| bytes[32 + TAIL * place + n])),
        }
    }

    pub(in crate::layer::sqlite) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0..8].copy_from_slice(&self.present.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.data.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.places);
        bytes[32..].copy_from_slice(self.tails.as_flattened());
        bytes
    }

    /// Whether it fits a cluster with those sectors that has room for so many blocks.
    pub(in crate::layer::sqlite) fn is_sound(&self, shape: &Shape, sectors: u64, room: usize) -> bool {
        let mut taken = 0_u32;
        for place in self.places {
            let bit = 1_u32 << place.min(31);
            if place as usize > room || place > 0 && taken & bit != 0 {
                return false;
            }
            taken |= bit;
        }
        let stored = |block| self.places[block] > 0;
        self.present & !sectors == 0
            && self.data & !self.present == 0
            && room <= shape.blocks()
            && self.places[shape.blocks()..].iter().all(|place| *place == 0)
            && (0..shape.blocks()).all(|block| stored(block) || self.data & shape.sectors_in(block) == 0)
    }

    /// Gives up the places of blocks without bytes; how many blocks have bytes.
    pub(in crate::layer::sqlite) fn give_up_places(&mut self, shape: &Shape) -> usize {
        let mut stored = 0;
        for block in 0..shape.blocks() {
            match self.data & shape.sectors_in(block) {
                0 => self.places[block] = 0,
                _ => stored += 1,
            }
        }
        stored
    }

    /// Gives each block with bytes a place, of which there are enough.
    pub(in crate::layer::sqlite) fn take_places(&mut self, shape: &Shape) {
        let taken = self.places;
        let count = taken.iter().filter(|place| **place > 0).count() as u8;
        let first = if planted(Fault::PlaceTakenTwice) { count + 1 } else { 1 };
        let mut free = (first..).filter(move |place| planted(Fault::PlaceTakenTwice) || !taken.contains(place));
        for block in 0..shape.blocks() {
            if self.places[block] == 0 && self.data & shape.sectors_in(block) != 0 {
                self.places[block] = free.next().unwrap_or(0);
            }
        }
    }
}
