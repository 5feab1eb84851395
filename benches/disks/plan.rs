//! The steps of a workload. The same seed makes the same steps, whatever system takes them.

use std::collections::HashSet;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::disk::SECTOR;
use super::workload::Kind;

pub(crate) const MIB: u64 = 1 << 20;
const BLOCK: u64 = 4096;
/// In the stack of three layers this many bytes at a time lie in one of them.
pub(crate) const STRIPE: u64 = 64 << 10;

/// The version that a step writes.
pub(crate) const WRITTEN: u64 = 9;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// What is read is this version.
    Read {
        at: u64,
        len: u64,
        version: u64,
    },
    Write {
        at: u64,
        len: u64,
    },
    Unmap {
        at: u64,
        len: u64,
    },
    Flush,
}

/// On what the steps are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A new disk.
    Empty,
    /// A disk that was filled, and read once.
    FilledAndWarm,
    /// A disk that was filled, to be changed.
    Filled,
    /// A new differencing layer over a filled disk; an empty file is its like.
    Differencing,
    /// The same, to hide what is below; a filled file is its like.
    Covering,
    /// Three layers that each hold a part, read once.
    ThreeLayers,
    /// An empty read cache over an image.
    ColdCache,
    /// A read cache that has taken these steps before.
    HotCache,
}

pub(crate) struct Plan {
    pub start: Start,
    pub steps: Vec<Step>,
    /// Requests, a last flush aside.
    pub operations: u64,
}

/// The layer of three that holds the bytes at `at`, from the lowest; it is the version of its bytes too.
pub(crate) fn layer_of_three(at: u64) -> u64 {
    match at / STRIPE % 4 {
        0 => 2,
        1 => 1,
        _ => 0,
    }
}

/// The steps of `kind`, unless it is no workload of steps.
pub(crate) fn plan(kind: Kind, size: u64, operations: u64, seed: u64) -> Option<Plan> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let whole = || (0..size / MIB).map(|portion| portion * MIB);
    let reads = |places: Vec<u64>, version: fn(u64) -> u64| {
        places.into_iter().map(|at| Step::Read { at, len: BLOCK, version: version(at) }).collect::<Vec<_>>()
    };
    let writes = |places: Vec<u64>, len: u64| places.into_iter().map(|at| Step::Write { at, len }).collect::<Vec<_>>();
    let mut blocks = || places(size, BLOCK, operations, &mut random);
    let (start, mut steps) = match kind {
        Kind::SequentialRead => {
            (Start::FilledAndWarm, whole().map(|at| Step::Read { at, len: MIB, version: 0 }).collect())
        }
        Kind::SequentialWrite => (Start::Empty, writes(whole().collect(), MIB)),
        Kind::SequentialOverwrite => (Start::Filled, writes(whole().collect(), MIB)),
        Kind::RandomRead => (Start::FilledAndWarm, reads(blocks(), |_| 0)),
        Kind::LayeredRead => (Start::ThreeLayers, reads(blocks(), layer_of_three)),
        Kind::CacheFill => (Start::ColdCache, reads(blocks(), |_| 0)),
        Kind::CacheHit => (Start::HotCache, reads(blocks(), |_| 0)),
        Kind::RandomWrite => (Start::Filled, writes(blocks(), BLOCK)),
        Kind::SparseWrite => (Start::Differencing, writes(blocks(), BLOCK)),
        Kind::SmallWrite => {
            (Start::Filled, writes(places(size, SECTOR as u64, operations, &mut random), SECTOR as u64))
        }
        Kind::Mix => (Start::Filled, mix(&blocks(), &mut random)),
        Kind::WriteFlush => {
            let places = places(size, BLOCK, (operations / 16).max(1), &mut random);
            (Start::Filled, places.into_iter().flat_map(|at| [Step::Write { at, len: BLOCK }, Step::Flush]).collect())
        }
        Kind::Unmap | Kind::UnmapOver => {
            let places = places(size, MIB, size / MIB, &mut random);
            let start = if kind == Kind::Unmap { Start::Filled } else { Start::Covering };
            (start, places.into_iter().map(|at| Step::Unmap { at, len: MIB }).collect())
        }
        Kind::Import | Kind::Open | Kind::Format => return None,
    };
    let operations = steps.iter().filter(|step| !matches!(step, Step::Flush)).count() as u64;
    let only_reads_what_is_there = matches!(start, Start::FilledAndWarm | Start::ThreeLayers | Start::HotCache);
    if !only_reads_what_is_there && !matches!(steps.last(), Some(Step::Flush)) {
        steps.push(Step::Flush);
    }
    Some(Plan { start, steps, operations })
}

/// So many places in random order; none comes again before all have come.
fn places(size: u64, len: u64, count: u64, random: &mut Pcg64Mcg) -> Vec<u64> {
    let mut places: Vec<u64> = (0..size / len).map(|index| index * len).collect();
    shuffle(&mut places, random);
    places.iter().copied().cycle().take(count as usize).collect()
}

/// Reads of seven blocks in ten, writes of the others; every third block comes from those that came before.
fn mix(blocks: &[u64], random: &mut Pcg64Mcg) -> Vec<Step> {
    let mut written = HashSet::new();
    let step = |index: usize| {
        let again = random.next_u64().is_multiple_of(3);
        let at = if again { blocks[random.next_u64() as usize % (index + 1)] } else { blocks[index] };
        if random.next_u64() % 10 < 7 {
            return Step::Read { at, len: BLOCK, version: if written.contains(&at) { WRITTEN } else { 0 } };
        }
        written.insert(at);
        Step::Write { at, len: BLOCK }
    };
    (0..blocks.len()).map(step).collect()
}

/// Puts `items` into a random order.
pub(crate) fn shuffle<T>(items: &mut [T], random: &mut Pcg64Mcg) {
    for last in (1..items.len()).rev() {
        items.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
}

impl Step {
    /// Bytes of the request.
    pub(crate) fn len(self) -> u64 {
        match self {
            Self::Read { len, .. } | Self::Write { len, .. } | Self::Unmap { len, .. } => len,
            Self::Flush => 0,
        }
    }
}
