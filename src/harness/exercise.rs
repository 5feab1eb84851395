//! What scripts really met, counted: a harness that never saw an end has not tested ends.

use super::histogram::Histogram;
use super::history::Histories;
use crate::oracle::Oracle;
use crate::script::{Content, LayerKind, Op, OpKind, Outcome, Shape, Target};

macro_rules! sights {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// Something that only catches a bug if it really happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Sight { $($(#[doc = $text])+ $name,)+ }

        impl Sight {
            /// Every sight.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What it is, in words.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => concat!($($text,)+).trim_ascii(),)+ }
            }
        }
    };
}

sights! {
    /// a read into a poisoned buffer
    PoisonedRead,
    /// a write of zeros
    Zeros,
    /// a write with a zero head and a non-zero tail
    ZeroHead,
    /// a write of one byte throughout
    ConstantFill,
    /// a lower layer that is filled past the end of one above
    FilledPastAnEnd,
    /// a stack of layers of unequal size
    UnequalSizes,
    /// a stack whose sizes neither only grow nor only shrink
    NonMonotonicSizes,
    /// a stack of three layers or more
    ThreeLayers,
    /// a disk with sectors of 4096 bytes
    LargeSectors,
    /// a stack with a read cache and write-through
    CacheAndWriteThrough,
    /// a stack of RAM, SQLite and file layers together
    MixedKinds,
    /// SQLite layers in files with a log
    Files,
    /// a stack that is refused
    RefusedStack,
    /// a request at sector 0
    AtStart,
    /// a request that ends with the disk
    AtEnd,
    /// a request beside a layer's visible end
    BesideVisibleEnd,
    /// a request across a layer's visible end
    AcrossVisibleEnd,
    /// a request past the end
    PastEnd,
    /// a request of no sectors
    ZeroLength,
    /// a request near u64::MAX
    NearMax,
    /// a sector number past 32 bits
    Past32Bits,
    /// a request of more than 64 sectors, off multiples of 64
    LongAndOdd,
    /// a buffer that is not whole sectors
    PartialSector,
    /// unmap, write inside, read across
    UnmapWriteRead,
    /// read, write inside, read again
    ReadWriteRead,
    /// a request to one layer alone
    LayerAlone,
    /// a fill that does not overwrite
    Fill,
    /// a FUA write
    Fua,
    /// every layer compared after a refusal
    LookAfterRefusal,
    /// a reopen over a parent that changed
    ParentMismatch,
    /// requests of several threads under way at the same time
    Overlap,
    /// a change that overlaps another request for the same sectors
    Race,
}

const KINDS: usize = OpKind::ALL.len();
const SIGHTS: usize = Sight::ALL.len();

/// Counts of what was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercise {
    /// Operations by kind and by the kind of layer that they met first.
    pub ops: [[u64; 4]; KINDS],
    /// Refusals among them.
    pub refused: u64,
    sights: [u64; SIGHTS],
    /// Layers of the stacks.
    pub depths: Histogram,
    /// Sectors of the disks.
    pub sizes: Histogram,
    /// Sectors of the requests.
    pub lengths: Histogram,
    /// The latest unmap and read, as first sector and end.
    last: [Option<(u64, u64)>; 2],
    /// Something was written inside one of them.
    written: bool,
}

impl Default for Exercise {
    fn default() -> Self {
        Self {
            ops: [[0; 4]; KINDS],
            refused: 0,
            sights: [0; SIGHTS],
            depths: Histogram::default(),
            sizes: Histogram::default(),
            lengths: Histogram::default(),
            last: [None; 2],
            written: false,
        }
    }
}

impl Exercise {
    pub(super) fn of_shape(shape: &Shape) -> Self {
        let mut exercise = Self::default();
        let sizes: Vec<u64> = shape.layers.iter().map(|layer| layer.sector_count).collect();
        let has = |kind| shape.layers.iter().any(|layer| layer.kind == kind);
        let mut visible = u64::MAX;
        let past = |layer: &crate::script::LayerShape| {
            let past = layer.sector_count > visible && layer.filled.is_some();
            visible = visible.min(layer.sector_count);
            past
        };
        let mut see = |sight, seen| exercise.sights[sight as usize] += u64::from(seen);
        see(Sight::FilledPastAnEnd, shape.layers.iter().any(past));
        see(Sight::UnequalSizes, sizes.iter().any(|size| *size != sizes[0]));
        see(Sight::NonMonotonicSizes, !sizes.is_sorted() && !sizes.iter().rev().is_sorted());
        see(Sight::ThreeLayers, sizes.len() >= 3);
        see(Sight::LargeSectors, shape.sector_size >= 4096);
        let through = shape.layers.iter().any(|layer| layer.write_through);
        see(Sight::CacheAndWriteThrough, through && shape.layers.iter().any(|layer| layer.read_cache));
        see(Sight::MixedKinds, has(LayerKind::Sqlite) && has(LayerKind::Ram) && has(LayerKind::File));
        see(Sight::Files, has(LayerKind::Sqlite) && shape.medium == crate::script::Medium::Files);
        exercise.depths.note(sizes.len() as u64);
        sizes.first().iter().for_each(|&&size| exercise.sizes.note(size));
        exercise
    }

    /// Counts a stack that was refused.
    pub fn see_refused_stack(&mut self) {
        self.see(Sight::RefusedStack, true);
    }

    /// How often something was met.
    pub fn seen(&self, sight: Sight) -> u64 {
        self.sights[sight as usize]
    }

    /// How many operations there were.
    pub fn executed(&self) -> u64 {
        self.ops.iter().flatten().sum()
    }

    /// Adds the counts of another script.
    pub fn add(&mut self, other: &Self) {
        let add = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        self.ops.iter_mut().zip(&other.ops).for_each(|(to, from)| add(to, from));
        add(&mut self.sights, &other.sights);
        self.depths.add(&other.depths);
        self.sizes.add(&other.sizes);
        self.lengths.add(&other.lengths);
        self.refused += other.refused;
    }

    fn see(&mut self, sight: Sight, seen: bool) {
        self.sights[sight as usize] += u64::from(seen);
    }

    /// Counts an operation that is about to be done.
    pub(super) fn note(&mut self, op: &Op, oracle: &Oracle) {
        let layer = match op.target() {
            Target::Disk => 0,
            Target::Layer(layer) => layer,
        };
        if layer >= oracle.layer_count() {
            return;
        }
        self.ops[op.kind() as usize][oracle.kind(layer) as usize] += 1;
        self.see(Sight::LayerAlone, matches!(op.target(), Target::Layer(_)));
        self.see(Sight::PoisonedRead, op.kind() == OpKind::Read);
        self.see(Sight::Fill, op.kind() == OpKind::Fill);
        self.see(Sight::PartialSector, op.kind() == OpKind::Odd);
        match op.content() {
            Some(Content::Zeros) => self.see(Sight::Zeros, true),
            Some(Content::Byte { at, .. }) => self.see(Sight::ZeroHead, at >= 64),
            Some(Content::Fill(_)) => self.see(Sight::ConstantFill, op.kind() != OpKind::Odd),
            _ => {}
        }
        if let Op::Write { durability, .. } = op {
            self.see(Sight::Fua, *durability == crate::request::Durability::Fua);
        }
        if let Some((sector, count)) = op.range() {
            self.note_range(sector, count, oracle, layer);
            self.note_overlap(op, sector, count);
        }
    }

    fn note_range(&mut self, sector: u64, count: u64, oracle: &Oracle, layer: usize) {
        let end = sector.saturating_add(count);
        let size = oracle.sector_count(layer);
        self.lengths.note(count);
        self.see(Sight::ZeroLength, count == 0);
        self.see(Sight::NearMax, end > u64::MAX - 64);
        self.see(Sight::PastEnd, end > size && end <= u64::MAX - 64);
        self.see(Sight::AtStart, sector == 0 && count > 0);
        self.see(Sight::AtEnd, end == size && count > 0);
        self.see(Sight::Past32Bits, sector > u64::from(u32::MAX) && end <= size);
        self.see(Sight::LongAndOdd, count > 64 && (!sector.is_multiple_of(64) || !end.is_multiple_of(64)));
        if layer > 0 || end > size {
            return;
        }
        for visible in (1..oracle.layer_count()).map(|index| oracle.visible(index)).filter(|v| *v < size) {
            self.see(Sight::BesideVisibleEnd, end.abs_diff(visible) <= 1 || sector.abs_diff(visible) <= 1);
            self.see(Sight::AcrossVisibleEnd, sector < visible && visible < end);
        }
    }

    /// Looks for a read across what has just been written inside of what had been read or unmapped.
    fn note_overlap(&mut self, op: &Op, sector: u64, count: u64) {
        let end = sector.saturating_add(count);
        let overlaps = |range: Option<(u64, u64)>| range.is_some_and(|(from, to)| from < end && sector < to);
        let [unmapped, read] = self.last;
        match op.kind() {
            OpKind::Read => {
                self.see(Sight::UnmapWriteRead, overlaps(unmapped.filter(|_| self.written)));
                self.see(Sight::ReadWriteRead, overlaps(read.filter(|_| self.written)));
                self.last = [unmapped.filter(|_| !self.written), Some((sector, end))];
                self.written = false;
            }
            OpKind::Unmap => self.last[0] = Some((sector, end)),
            OpKind::Write => self.written |= overlaps(unmapped) || overlaps(read),
            _ => {}
        }
    }

    /// Counts what threads did at once.
    pub(super) fn note_threads(&mut self, noted: &Histories) {
        self.sights[Sight::Overlap as usize] += noted.overlapped;
        self.sights[Sight::Race as usize] += noted.raced;
    }

    /// Counts what came of it.
    pub(super) fn note_outcome(&mut self, outcome: Outcome) {
        self.refused += u64::from(outcome.is_refusal());
        self.see(Sight::LookAfterRefusal, outcome.is_refusal());
        let mismatch = crate::error::ErrorKind::ParentMismatch;
        self.see(Sight::ParentMismatch, matches!(outcome, Outcome::Refused { kind, .. } if kind == mismatch));
    }
}
