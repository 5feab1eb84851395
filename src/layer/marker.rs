//! Which sectors of a read a layer has filled.

use std::ops::Range;

use crate::fault::{Fault, planted};

/// The presence of each sector of one request; sectors are those of the disk, not of the request.
///
/// ```
/// use disklayer_sqlite::layer::SectorMarker;
/// let mut marker = SectorMarker::new(40..44);
/// marker.set(41..43);
/// assert_eq!(marker.runs().collect::<Vec<_>>(), [(40..41, false), (41..43, true), (43..44, false)]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorMarker {
    range: Range<u64>,
    /// One bit a sector, from the start of the range; the first 64 stand apart, to save an allocation, and the rest up to
    /// the last that is set.
    first: u64,
    rest: Vec<u64>,
}

impl SectorMarker {
    /// Nothing of `range` is present.
    pub fn new(range: Range<u64>) -> Self {
        Self { range, first: 0, rest: Vec::new() }
    }

    /// The sectors of the request.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Marks `sectors` present.
    ///
    /// # Panics
    ///
    /// If they are not sectors of the request: a layer that fills what nobody asked for is broken.
    pub fn set(&mut self, sectors: Range<u64>) {
        assert!(
            sectors.is_empty() || (self.range.start <= sectors.start && sectors.end <= self.range.end),
            "a layer marked {sectors:?} in a request for {:?}",
            self.range
        );
        for sector in sectors {
            let index = sector - self.range.start;
            let bit = 1 << (index % 64);
            *self.word_mut(index) |= bit;
        }
    }

    /// Whether `sector`, one of the request, is present.
    pub fn is_set(&self, sector: u64) -> bool {
        let index = sector - self.range.start;
        let word = match (index / 64) as usize {
            0 => self.first,
            n => self.rest.get(n - 1).copied().unwrap_or(0),
        };
        word >> (index % 64) & 1 == 1
    }

    /// The request as runs that are present (`true`) or absent (`false`).
    pub fn runs(&self) -> impl Iterator<Item = (Range<u64>, bool)> + '_ {
        let mut next = self.range.start;
        std::iter::from_fn(move || {
            let start = next;
            if start >= self.range.end {
                return None;
            }
            let present = self.is_set(start);
            while next < self.range.end && self.is_set(next) == present {
                next += 1;
            }
            Some((start..next, present))
        })
    }

    fn word_mut(&mut self, index: u64) -> &mut u64 {
        match (index / 64) as usize {
            0 => &mut self.first,
            _ if planted(Fault::MarkerKeepsOneWord) => &mut self.first,
            n => {
                self.rest.resize(self.rest.len().max(n), 0);
                &mut self.rest[n - 1]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_takes_memory_for_what_is_marked_and_not_for_what_is_asked() {
        let mut marker = SectorMarker::new(0..u64::MAX);
        marker.set(200..201);
        let runs = [(0..200, false), (200..201, true)];
        assert_eq!(marker.runs().take(2).collect::<Vec<_>>(), runs);
        assert_eq!((marker.rest.len(), marker.is_set(u64::MAX - 1)), (3, false));
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges)]
    fn a_range_that_ends_before_it_begins_has_no_runs() {
        assert_eq!(SectorMarker::new(5..3).runs().next(), None);
    }
}
