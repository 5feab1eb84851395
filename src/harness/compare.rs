//! Comparing: buffers byte for byte, presence, accesses, and layers whole.

use super::divergence::{Bytes, Difference, View};
use super::subject::Subject;
use crate::layer::{LayerIo, SectorMarker};
use crate::oracle::Oracle;
use crate::script::{Line, Op, Touched};

/// A layer up to this many sectors is compared whole; of a larger one its extents, and what was touched.
const WHOLE: u64 = 4096;
/// Of what an operation touched on a large layer, so many sectors at either end.
const END: u64 = 64;
/// So many sectors at a time.
const CHUNK: u64 = 512;

/// The buffers of both sides, used again for each step.
#[derive(Default)]
pub(super) struct Comparer {
    pub(super) expected: Vec<u8>,
    pub(super) actual: Vec<u8>,
    /// What buffers are full of before a read; different for each.
    pub(super) poison: u8,
    /// How many sectors have been compared.
    pub(super) sectors: u64,
}

impl Comparer {
    /// Buffers for `op`, poisoned.
    pub(super) fn prepare(&mut self, step: usize, op: &Op, sector_size: usize) {
        let len = op.buffer_len(sector_size);
        self.poison = poison_for(step, op);
        self.fill(len);
    }

    fn fill(&mut self, len: usize) {
        for buf in [&mut self.expected, &mut self.actual] {
            buf.clear();
            buf.resize(len, self.poison);
        }
    }

    /// Compares what a read has found.
    pub(super) fn buffers(
        &mut self,
        op: &Op,
        sector_size: usize,
        expected: Option<&[bool]>,
        actual: Option<&[bool]>,
    ) -> Result<(), Difference> {
        let Some((sector, count)) = read_range(op, sector_size) else { return Ok(()) };
        self.sectors += count;
        let view = View::of(op);
        presence(view, sector, expected, actual)?;
        self.bytes(view, sector, sector_size)
    }

    fn bytes(&self, view: View, first: u64, sector_size: usize) -> Result<(), Difference> {
        if self.expected == self.actual {
            return Ok(());
        }
        let at = self.expected.iter().zip(&self.actual).position(|(e, a)| e != a).unwrap_or(0);
        let start = at / sector_size * sector_size;
        let end = (start + sector_size).min(self.expected.len());
        Err(Difference::Bytes(Box::new(Bytes {
            view,
            sector: first + (at / sector_size) as u64,
            offset: at - start,
            expected: self.expected[start..end].to_vec(),
            actual: self.actual[start..end].to_vec(),
        })))
    }

    /// Compares every layer, read alone, and its metadata; `done` says where a large one has been touched.
    pub(super) fn layers(&mut self, subject: &dyn Subject, oracle: &Oracle, done: &[Line]) -> Result<(), Difference> {
        for index in 0..oracle.layer_count() {
            let Some(layer) = subject.layer(index) else {
                return Err(Difference::Metadata { layer: index, what: "the layer is missing".to_owned() });
            };
            metadata(index, &*layer, oracle)?;
            let count = oracle.sector_count(index);
            if count <= WHOLE {
                if oracle.layer_count() == 1 {
                    extents(index, &*layer, oracle)?;
                }
                self.part(index, &*layer, oracle, 0..count)?;
                continue;
            }
            extents(index, &*layer, oracle)?;
            for place in places(done, count) {
                self.part(index, &*layer, oracle, place)?;
            }
        }
        Ok(())
    }

    fn part(
        &mut self,
        index: usize,
        layer: &dyn LayerIo,
        oracle: &Oracle,
        range: std::ops::Range<u64>,
    ) -> Result<(), Difference> {
        let size = layer.metadata().geometry.sector_size() as usize;
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + CHUNK);
            self.fill((end - start) as usize * size);
            let mut marker = SectorMarker::new(start..end);
            if let Err(error) = layer.read(start, &mut self.actual, &mut marker) {
                return Err(Difference::Look { layer: index, message: error.to_string() });
            }
            let expected = oracle.look(index, start, &mut self.expected);
            let actual: Vec<bool> = (start..end).map(|sector| marker.is_set(sector)).collect();
            presence(View::Look(index), start, Some(&expected), Some(&actual))?;
            self.bytes(View::Look(index), start, size)?;
            self.sectors += end - start;
            start = end;
        }
        Ok(())
    }
}

/// Where a disk of `count` sectors is read to tell its states apart: everywhere, or a large one where it has been touched.
pub(super) fn told_by(done: &[Line], count: u64) -> Vec<std::ops::Range<u64>> {
    if count <= WHOLE { std::iter::once(0..count).collect() } else { places(done, count) }
}

/// Where a large layer of `count` sectors has been touched: both ends of each operation and one sector on either side,
/// in order and each once.
fn places(done: &[Line], count: u64) -> Vec<std::ops::Range<u64>> {
    let ends = |(sector, len): (u64, u64)| {
        let start = sector.saturating_sub(1).min(count);
        let end = sector.saturating_add(len).saturating_add(1).min(count);
        [start..end.min(start + END), end.saturating_sub(END).max(start)..end]
    };
    let mut all: Vec<_> =
        done.iter().filter_map(|line| line.op.range()).flat_map(ends).filter(|place| !place.is_empty()).collect();
    all.sort_unstable_by_key(|place| place.start);
    let mut places: Vec<std::ops::Range<u64>> = Vec::new();
    for place in all {
        match places.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => places.push(place),
        }
    }
    places
}

/// What the buffer of an operation is full of before it.
pub(super) fn poison_for(step: usize, op: &Op) -> u8 {
    match op {
        Op::WriteBytes { .. } => Op::ODD_BYTE,
        _ => poison(step),
    }
}

/// A different byte for each step, never zero.
fn poison(step: usize) -> u8 {
    0x81 | (step as u8).wrapping_mul(38)
}

/// The sectors that a read fills.
pub(super) fn read_range(op: &Op, sector_size: usize) -> Option<(u64, u64)> {
    match *op {
        Op::Read { sector, count, .. } => Some((sector, u64::from(count))),
        Op::ReadBytes { sector, len, .. } => Some((sector, u64::from(len) / sector_size as u64)),
        _ => None,
    }
}

fn presence(view: View, first: u64, expected: Option<&[bool]>, actual: Option<&[bool]>) -> Result<(), Difference> {
    let (Some(expected), Some(actual)) = (expected, actual) else { return Ok(()) };
    match (first..).zip(expected.iter().zip(actual)).find(|(_, (e, a))| e != a) {
        None => Ok(()),
        Some((sector, (&expected, _))) => {
            Err(Difference::Presence { layer: view.layer().unwrap_or(0), sector, expected })
        }
    }
}

pub(super) fn touched(expected: &[Touched], actual: &[Touched]) -> Result<(), Difference> {
    match expected.iter().zip(actual).position(|(e, a)| e != a) {
        Some(layer) => Err(Difference::Touched { layer, expected: expected[layer], actual: actual[layer] }),
        None => Ok(()),
    }
}

fn metadata(index: usize, layer: &dyn LayerIo, oracle: &Oracle) -> Result<(), Difference> {
    let metadata = layer.metadata();
    let expected = oracle.metadata(index);
    let (size, count) = (metadata.geometry.sector_size(), metadata.geometry.sector_count());
    let actual = (size, count, metadata.access, metadata.presence, metadata.unmap);
    match expected == actual {
        true => Ok(()),
        false => Err(Difference::Metadata { layer: index, what: format!("expected {expected:?}, found {actual:?}") }),
    }
}

/// Compares which sectors a large layer holds.
fn extents(index: usize, layer: &dyn LayerIo, oracle: &Oracle) -> Result<(), Difference> {
    let look = |message: String| Difference::Look { layer: index, message };
    let mut actual: Vec<std::ops::Range<u64>> = Vec::new();
    let mut from = 0;
    while let Some(extent) = layer.next_extent(from).map_err(|e| look(e.to_string()))? {
        from = extent.end;
        match actual.last_mut() {
            Some(last) if last.end == extent.start => last.end = extent.end,
            _ => actual.push(extent),
        }
    }
    let expected = oracle.runs(index);
    match expected == actual {
        true => Ok(()),
        false => Err(look(format!("expected the extents {expected:?}, found {actual:?}"))),
    }
}
