//! What a stack must do, as dumb as can be: one map of extents a layer, one sector at a time.
//!
//! It shares types with the system, never logic. Whatever the system does cleverly it does here by the letter of the
//! contract; where the two differ, the shorter text is more often right.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use crate::error::ErrorKind;
use crate::fault::{Fault, planted};
use crate::layer::{Access, UnmapBehavior};
use crate::request::Below;
use crate::script::{Content, LayerKind, LayerShape, Op, Outcome, Shape, Target, Touched};
use crate::strike::Keeps;

mod cache;
mod crash;
mod extents;
mod held;
mod histories;
mod lineage;
mod loose;
mod reshape;
mod view;

pub use crash::{Found, Past, Stranger, Survivor, Unsynced, When};

use crash::Chronicle;
use extents::Extents;
pub use histories::{Request, Seen, Unexplained};
use lineage::Lineage;
use loose::Loose;

/// The state that the disk and each of its layers must be in.
#[derive(Clone)]
pub struct Oracle {
    sector_size: u32,
    read_only: bool,
    opens_read_only: bool,
    layers: Vec<Model>,
    /// Generations are numbers here; each is used once.
    next_generation: u64,
    touched: Vec<Touched>,
    /// What layers held before the script, where that is not said in it; each sector at its own offset.
    held: Vec<Arc<File>>,
    own_unmap: UnmapBehavior,
    own_keeps: Keeps,
    loose: Loose,
    /// What the layers have been, if the power may be cut.
    chronicle: Option<Chronicle>,
    /// Sectors of raw files as a cut has left them.
    survived: Vec<Arc<[u8]>>,
}

/// A layer.
#[derive(Clone)]
struct Model {
    shape: LayerShape,
    /// Opened read only, this time.
    frozen: bool,
    sectors: Extents<Cell>,
    lineage: Lineage,
}

/// What is in a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cell {
    Said(Content),
    /// What was there before the script, in this one of the files.
    Held(usize),
    /// What a power cut has left, this one of the sectors.
    Survived(usize),
}

const ZEROS: Cell = Cell::Said(Content::Zeros);

/// What must come of an operation.
#[derive(Debug)]
pub struct Prediction {
    /// Its outcome.
    pub outcome: Outcome,
    /// For a read of one layer: which of the sectors it marks present.
    pub present: Option<Vec<bool>>,
}

impl From<Outcome> for Prediction {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, present: None }
    }
}

fn refused(kind: ErrorKind) -> Outcome {
    Outcome::Refused { kind, layer: None }
}

impl Oracle {
    /// The state of a new stack of that shape, and whether there can be one.
    pub fn new(shape: &Shape) -> (Self, Outcome) {
        let layers: Vec<Model> = shape.layers.iter().map(|&layer| Model::new(layer)).collect();
        let mut oracle = Self {
            sector_size: shape.sector_size,
            read_only: shape.read_only,
            opens_read_only: shape.read_only,
            touched: vec![Touched::default(); layers.len()],
            layers,
            next_generation: 1,
            held: Vec::new(),
            own_unmap: UnmapBehavior::Zeroes,
            own_keeps: Keeps::default(),
            loose: Loose::new(),
            chronicle: None,
            survived: Vec::new(),
        };
        let outcome = oracle.create();
        (oracle, outcome)
    }

    /// Does `op`; a read puts what it must find into `buf`, which has the op's length and the reader's poison.
    pub fn apply(&mut self, op: &Op, buf: &mut [u8]) -> Prediction {
        self.chronicle_begins(op);
        let prediction = self.predict(op, buf);
        self.chronicle_ends(op, prediction.outcome);
        prediction
    }

    fn predict(&mut self, op: &Op, buf: &mut [u8]) -> Prediction {
        self.touched.clear();
        self.touched.resize(self.layers.len(), Touched::default());
        if let Target::Layer(index) = op.target()
            && index >= self.layers.len()
        {
            return Outcome::Skipped.into();
        }
        let whole = |len: u32| len.is_multiple_of(self.sector_size).then_some(len / self.sector_size);
        match *op {
            Op::Read { target: Target::Disk, sector, count } => self.read(sector, count, buf).into(),
            Op::Read { target: Target::Layer(index), sector, count } => self.read_layer(index, sector, count, buf),
            Op::Write { target, sector, count, content, .. } => self.write(target, sector, count, content).into(),
            Op::Fill { layer, sector, count, content } => self.fill(layer, sector, count, content).into(),
            Op::Unmap { sector, count } => self.unmap(sector, count).into(),
            Op::UnmapLayer { layer, sector, count, below } => self.unmap_layer(layer, sector, count, below).into(),
            Op::Flush { target } => self.flush(target).into(),
            Op::ReadBytes { target, sector, len } => match (whole(len), target) {
                (None, _) => refused(ErrorKind::Misaligned).into(),
                (Some(count), Target::Disk) => self.read(sector, count, buf).into(),
                (Some(count), Target::Layer(index)) => self.read_layer(index, sector, count, buf),
            },
            Op::WriteBytes { target, sector, len } => match whole(len) {
                None => refused(ErrorKind::Misaligned).into(),
                Some(count) => self.write(target, sector, count, Content::Fill(Op::ODD_BYTE)).into(),
            },
            Op::Reopen(how) => self.reopen(how).into(),
            Op::Push(pushed) => self.push(pushed).into(),
            Op::Discard => self.discard().into(),
            Op::Commit => self.commit().into(),
        }
    }

    fn read_layer(&mut self, index: usize, sector: u64, count: u32, buf: &mut [u8]) -> Prediction {
        if !inside(sector, count.into(), self.sector_count(index)) {
            return refused(ErrorKind::OutOfRange).into();
        }
        self.touched[index].read += u64::from(count);
        Prediction { outcome: Outcome::Done, present: Some(self.look(index, sector, buf)) }
    }

    /// The order of refusals is rule 3's.
    fn judge(&self, sector: u64, count: u64, target: Target) -> Option<Outcome> {
        let (size, writable) = match target {
            Target::Disk => (self.sector_count(0), !self.read_only),
            Target::Layer(index) => (self.sector_count(index), self.access(index) == Access::ReadWrite),
        };
        match () {
            () if planted(Fault::OracleRefusesInAnotherOrder) && !writable => Some(refused(ErrorKind::ReadOnly)),
            () if !inside(sector, count, size) => Some(refused(ErrorKind::OutOfRange)),
            () if count == 0 => Some(Outcome::Done),
            () if !writable => Some(refused(ErrorKind::ReadOnly)),
            () => None,
        }
    }

    fn write(&mut self, target: Target, sector: u64, count: u32, content: Content) -> Outcome {
        if let Some(outcome) = self.judge(sector, count.into(), target) {
            return outcome;
        }
        for index in self.path(target) {
            let range = self.shown(target, index, sector, count.into());
            self.changed(index, &range);
            self.touched[index].written += range.end - range.start;
            self.loose.settle(range.clone());
            self.layers[index].sectors.set(range, Some(Cell::Said(content)));
            self.mark(index);
        }
        Outcome::Done
    }

    fn fill(&mut self, index: usize, sector: u64, count: u32, content: Content) -> Outcome {
        if matches!(self.kind(index), LayerKind::File | LayerKind::Own) {
            return refused(ErrorKind::Unsupported);
        }
        match self.judge(sector, count.into(), Target::Layer(index)) {
            Some(outcome) if outcome != refused(ErrorKind::ReadOnly) || self.layers[index].frozen => return outcome,
            _ => {}
        }
        self.touched[index].filled += u64::from(count);
        for sector in sector..sector + u64::from(count) {
            if self.layers[index].sectors.get(sector).is_none() || planted(Fault::OracleFillsOver) {
                self.layers[index].sectors.set(sector..sector + 1, Some(Cell::Said(content)));
            }
        }
        self.mark(index);
        Outcome::Done
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Outcome {
        if let Some(outcome) = self.judge(sector, count, Target::Disk) {
            return outcome;
        }
        for index in self.path(Target::Disk) {
            let range = self.shown(Target::Disk, index, sector, count);
            let covers = index + 1 < self.layers.len() && range.start < self.visible(index + 1);
            self.unmap_one(index, range, if covers { Below::Something } else { Below::Nothing });
        }
        Outcome::Done
    }

    fn unmap_layer(&mut self, index: usize, sector: u64, count: u64, below: Below) -> Outcome {
        if let Some(outcome) = self.judge(sector, count, Target::Layer(index)) {
            return outcome;
        }
        self.unmap_one(index, sector..sector + count, below);
        Outcome::Done
    }

    fn unmap_one(&mut self, index: usize, range: Range<u64>, below: Below) {
        self.changed(index, &range);
        self.touched[index].unmapped += range.end - range.start;
        let forgets = below == Below::Nothing || planted(Fault::OracleForgetsUnmap);
        match self.kind(index) {
            LayerKind::Sqlite | LayerKind::Ram if forgets => self.layers[index].sectors.set(range, None),
            LayerKind::Own if self.own_unmap == UnmapBehavior::Ignored => {}
            LayerKind::Own if self.own_unmap == UnmapBehavior::Unspecified => self.loosen(index, range),
            _ => {
                self.loose.settle(range.clone());
                self.layers[index].sectors.set(range, Some(ZEROS));
            }
        }
        self.mark(index);
    }

    fn flush(&mut self, target: Target) -> Outcome {
        match target {
            Target::Disk => self.touched.iter_mut().for_each(|layer| layer.flushed += 1),
            Target::Layer(index) => self.touched[index].flushed += 1,
        }
        Outcome::Done
    }

    /// The layers that a change goes to.
    fn path(&mut self, target: Target) -> Range<usize> {
        match target {
            Target::Layer(index) => index..index + 1,
            Target::Disk => {
                let through = self.layers.iter().take_while(|layer| layer.shape.write_through).count();
                let through = if planted(Fault::OracleWritesTopOnly) { 0 } else { through };
                self.note_coming(through + 1);
                0..through + 1
            }
        }
    }

    /// The part of a change that layer `index` gets.
    fn shown(&self, target: Target, index: usize, sector: u64, count: u64) -> Range<u64> {
        let end = match target {
            Target::Disk => (sector + count).min(self.visible(index)),
            Target::Layer(_) => sector + count,
        };
        sector.min(end)..end
    }
}

impl Model {
    fn new(shape: LayerShape) -> Self {
        let mut sectors = Extents::new();
        let everywhere = 0..shape.sector_count;
        match (shape.filled, shape.kind) {
            (Some(stamp), _) => sectors.set(everywhere, Some(Cell::Said(Content::Stamp(stamp)))),
            (None, LayerKind::File | LayerKind::Own) => sectors.set(everywhere, Some(ZEROS)),
            (None, LayerKind::Sqlite | LayerKind::Ram) => {}
        }
        Self { shape, frozen: false, sectors, lineage: Lineage::default() }
    }
}

/// A request lies inside a disk if its end, computed without wrapping, does.
fn inside(sector: u64, count: u64, size: u64) -> bool {
    u128::from(sector) + u128::from(count) <= u128::from(size)
}
