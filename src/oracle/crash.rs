//! What a power cut permits (rules 15 and 16).
//!
//! The oracle keeps every state that each layer has had since the last moment that had to be durable. After a cut a
//! SQLite layer must be in one of them: a prefix of what was asked of it, no shorter than what was flushed. A raw file
//! promises less: each 512 bytes of it are as they were at the flush, or as somebody wrote them since. RAM is empty.
//! Somebody's own disk says what it keeps.
//!
//! Beyond its layers, the disk itself: while one layer takes all its writes, it reads as it did after some prefix too;
//! and it opens again wherever it would have opened before.

use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::extents::Extents;
use super::lineage::Lineage;
use super::loose::Loose;
use super::{Cell, Oracle};
use crate::fault::{Fault, planted};
use crate::request::Durability;
use crate::script::{LayerKind, Op, Outcome, Target};

mod judge;
mod own;

pub use own::Stranger;

/// A raw file does not tear inside of so many bytes.
const PIECE: usize = 512;

/// Whether the operation that was struck had returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It had, and what it promised holds.
    After,
    /// It had, and the disk goes on: nothing is lost.
    Now,
    /// It had not.
    During,
    /// It had not, and nothing from before it may be lost.
    Since,
    /// It has not reached the sectors of the layer; who it is, or what it knows of its parent, may have changed.
    Before,
}

/// States that layers may still fall back to, and whether they always may.
pub struct Past(Vec<(Vec<Arc<State>>, bool)>);

/// What has become of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// Only processes have died: it is there, and not yet durable.
    Kept,
    /// It is lost, or has become durable.
    Gone,
}

/// What a layer has been since it last had to be durable.
#[derive(Clone)]
struct History {
    states: Vec<Arc<State>>,
    /// The first state that is permitted once the operation has returned, and while it runs.
    floor: usize,
    floor_during: usize,
    /// The state when the operation began.
    begun: usize,
    /// What the operation has filled the layer with, each a request of its own.
    fills: Vec<Range<u64>>,
    /// Some of these may have failed, which nobody has been told.
    fills_may_fail: bool,
    /// What a FUA write has made durable, and nothing else with it: that there is nothing older is said when it has returned.
    durable: Option<(Range<u64>, Cell)>,
    /// It could not be synced once, and what a later sync says of the bytes that were there is worth nothing.
    is_doubtful: bool,
}

#[derive(Clone)]
struct State {
    sectors: Extents<Cell>,
    loose: Loose,
    lineage: Lineage,
    hash: u64,
}

/// The whole stack at a moment.
#[derive(Clone)]
struct Moment {
    /// Of each layer, the number of its state.
    states: Vec<usize>,
    /// Layers that did not lie over what they were made over.
    strangers: Vec<usize>,
}

/// The states of every layer, and of the stack.
#[derive(Clone, Default)]
pub(super) struct Chronicle {
    layers: Vec<History>,
    moments: Vec<Moment>,
    floor: usize,
    floor_during: usize,
    /// A layer was changed that is not the disk's top, otherwise than through the disk.
    changed_alone: bool,
    changed_alone_during: bool,
}

/// What a layer holds after a cut.
pub struct Survivor<'a> {
    /// Bytes of all its sectors, zeros where it has none.
    pub bytes: &'a [u8],
    /// Which sectors it has.
    pub present: &'a [bool],
}

/// A hash of what a layer holds, absent sectors being zeros.
fn hash(bytes: &[u8], present: &[bool]) -> u64 {
    let mut hash = XxHash3_64::new();
    hash.write(bytes);
    present.iter().for_each(|&present| hash.write_u8(present.into()));
    hash.finish()
}

impl Oracle {
    /// Keeps the states of the layers from now on, this being durable.
    pub fn begin_chronicle(&mut self) {
        let states: Vec<_> = (0..self.layers.len()).map(|index| self.state(index)).collect();
        let layers: Vec<_> = states.into_iter().map(History::new).collect();
        let moment = Moment { states: vec![0; layers.len()], strangers: self.strangers() };
        self.chronicle = Some(Chronicle { layers, moments: vec![moment], ..Chronicle::default() });
    }

    /// What may still be lost after a cut or a failure. Opening makes a SQLite layer durable; what a raw file or somebody's
    /// own disk has, and what was never synced, is not.
    pub fn unsynced_past(&self, floors: &[When], unsynced: Unsynced) -> Past {
        let layers = self.chronicle.iter().flat_map(|chronicle| &chronicle.layers).zip(floors).enumerate();
        let past = |(index, (history, &floor)): (usize, (&History, _))| {
            let is_made_durable = matches!(self.kind(index), LayerKind::Sqlite | LayerKind::Ram);
            let kept = unsynced == Unsynced::Kept && !is_made_durable;
            // What a layer that lives may show is one thing, and what the power may take of it is another.
            let floor = if floor == When::After { When::After } else { When::During };
            let states = history.permitted(floor).filter(|_| kept);
            (states.map(|at| history.states[at].clone()).collect(), kept && history.is_doubtful)
        };
        Past(layers.map(past).collect())
    }

    /// Keeps states from now on again.
    pub fn resume_chronicle(&mut self, past: Past) {
        self.begin_chronicle();
        let Some(chronicle) = &mut self.chronicle else { return };
        for (index, (history, (past, is_doubtful))) in chronicle.layers.iter_mut().zip(past.0).enumerate() {
            history.states.splice(0..0, past);
            history.is_doubtful = is_doubtful;
            history.begun = history.states.len() - 1;
            chronicle.moments[0].states[index] = history.begun;
        }
    }

    fn state(&self, index: usize) -> State {
        let model = &self.layers[index];
        let state = |hash| {
            let (sectors, loose) = (model.sectors.clone(), self.loose.clone());
            State { sectors, loose, lineage: model.lineage, hash }
        };
        if model.shape.kind == LayerKind::Own {
            // It may be of any size, and is known by where it was touched.
            return state(0);
        }
        let mut bytes = vec![0; (model.shape.sector_count * u64::from(self.sector_size)) as usize];
        let present = self.look(index, 0, &mut bytes);
        state(hash(&bytes, &present))
    }

    /// Whether states are kept.
    pub fn keeps_chronicle(&self) -> bool {
        self.chronicle.is_some()
    }

    /// Layer `index` has been changed.
    pub(super) fn mark(&mut self, index: usize) {
        if self.chronicle.is_none() {
            return;
        }
        let (state, strangers) = (self.state(index), self.strangers());
        let Some(chronicle) = &mut self.chronicle else { return };
        chronicle.layers[index].states.push(Arc::new(state));
        chronicle.note_moment(strangers);
    }

    /// Layer `index` has been filled with what a read found below.
    pub(super) fn mark_fill(&mut self, index: usize, run: &Range<u64>) {
        self.mark(index);
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.layers[index].fills.push(run.clone());
        }
    }

    /// The drive has failed: a cache that could not be filled does not have that run, and may have the next (rule 11).
    pub fn excuse_fills(&mut self) {
        let Some(chronicle) = &mut self.chronicle else { return };
        chronicle.layers.iter_mut().for_each(|history| history.fills_may_fail = true);
    }

    /// Layer `index` could not be synced. A SQLite layer writes again what it relies on when it is opened; a raw file cannot
    /// know what that is.
    pub fn doubt_file(&mut self, index: usize) {
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.layers[index].is_doubtful |= self.layers[index].shape.kind == LayerKind::File;
        }
    }

    /// What has become of layer `index` up to now must be durable when the operation returns.
    pub(super) fn promise(&mut self, index: usize) {
        if let Some(chronicle) = &mut self.chronicle {
            let history = &mut chronicle.layers[index];
            if !history.is_doubtful {
                history.floor = history.states.len() - 1;
            }
        }
    }

    /// The first state of layer `index` with such a lineage must be durable, or a later one.
    pub(super) fn promise_since(&mut self, index: usize, is_such: impl Fn(&Lineage) -> bool) {
        if let Some(chronicle) = &mut self.chronicle {
            let history = &mut chronicle.layers[index];
            let first = history.states.iter().position(|state| is_such(&state.lineage));
            history.floor = history.floor.max(first.unwrap_or_default());
        }
    }

    /// A layer came on top.
    pub(super) fn chronicle_push(&mut self) {
        if self.chronicle.is_none() {
            return;
        }
        let (state, strangers) = (self.state(0), self.strangers());
        let Some(chronicle) = &mut self.chronicle else { return };
        chronicle.layers.insert(0, History::new(state));
        chronicle.moments.iter_mut().for_each(|moment| moment.states.insert(0, 0));
        chronicle.note_moment(strangers);
    }

    /// The top layer is gone: the disk that is left has a past of its own.
    pub(super) fn chronicle_discard(&mut self) {
        let strangers = self.strangers();
        let Some(chronicle) = &mut self.chronicle else { return };
        chronicle.layers.remove(0);
        chronicle.moments.clear();
        chronicle.note_moment(strangers);
        (chronicle.floor, chronicle.floor_during) = (0, 0);
        chronicle.changed_alone = true;
    }

    /// An operation begins: what the last one promised is the past.
    pub fn chronicle_begins(&mut self, op: &Op) {
        let Some(chronicle) = &mut self.chronicle else { return };
        for history in &mut chronicle.layers {
            (history.floor_during, history.begun) = (history.floor, history.states.len() - 1);
            (history.fills, history.fills_may_fail) = (Vec::new(), false);
            history.keep_promise();
        }
        chronicle.floor_during = chronicle.floor;
        chronicle.changed_alone |= matches!(op.target(), Target::Layer(_)) && !matches!(op, Op::Read { .. });
        chronicle.changed_alone_during = chronicle.changed_alone;
    }

    /// An operation has returned: what it promises, it has kept.
    pub(super) fn chronicle_ends(&mut self, op: &Op, outcome: Outcome) {
        if self.chronicle.is_none() || outcome.is_refusal() && !matches!(op, Op::Reopen(_)) {
            return;
        }
        let through = self.layers.iter().take_while(|layer| layer.shape.write_through).count();
        let layers = match *op {
            Op::Flush { target: Target::Disk } | Op::Reopen(_) => 0..self.layers.len(),
            Op::Write { durability: Durability::Fua, .. } if planted(Fault::OracleTakesFuaForPlain) => return,
            Op::Write { durability: Durability::Fua, .. } if self.keeps_each_sector() => {
                return self.promise_sectors(op);
            }
            Op::Write { target: Target::Disk, durability: Durability::Fua, count: 1.., .. } => 0..through + 1,
            Op::Flush { target: Target::Layer(index) } => index..index + 1,
            Op::Write { target: Target::Layer(index), durability: Durability::Fua, count: 1.., .. } => index..index + 1,
            _ => return,
        };
        // Of a FUA write that shows on the upper layers only, only these are synced.
        let shown = |index: &usize| match *op {
            Op::Write { target: Target::Disk, sector, .. } => sector < self.visible(*index),
            _ => true,
        };
        let layers: Vec<_> = layers.filter(|index| *index < self.layers.len()).filter(shown).collect();
        layers.into_iter().for_each(|index| self.promise(index));
        if op.target() == Target::Disk
            && let Some(chronicle) = &mut self.chronicle
        {
            chronicle.floor = chronicle.moments.len() - 1;
            chronicle.changed_alone &= !matches!(op, Op::Flush { .. } | Op::Reopen(_));
        }
    }
}

/// What a layer was found to be.
pub enum Found<'a> {
    /// In this state.
    State(usize),
    /// In this state, and never closed.
    Alive(usize),
    /// With these bytes.
    Bytes(&'a [u8]),
    /// Empty.
    Nothing,
}

impl History {
    fn new(state: State) -> Self {
        let states = vec![Arc::new(state)];
        Self {
            states,
            floor: 0,
            floor_during: 0,
            begun: 0,
            fills: Vec::new(),
            fills_may_fail: false,
            durable: None,
            is_doubtful: false,
        }
    }

    fn floor(&self, when: When) -> usize {
        match when {
            _ if planted(Fault::OracleDemandsLatest) => self.states.len() - 1,
            _ if planted(Fault::OraclePermitsEveryState) => 0,
            When::After => self.floor,
            When::Now => self.states.len() - 1,
            When::During => self.floor_during,
            When::Since | When::Before => self.begun,
        }
    }

    /// The numbers of the states that are permitted.
    fn permitted(&self, when: When) -> impl DoubleEndedIterator<Item = usize> {
        let begun = self.states[self.begun].hash;
        (self.floor(when)..self.states.len()).filter(move |&at| when != When::Before || self.states[at].hash == begun)
    }
}

impl Chronicle {
    fn is_changed_alone(&self, when: When) -> bool {
        if when == When::After { self.changed_alone } else { self.changed_alone_during }
    }

    /// What was open in a sector of layer `index` has been seen.
    pub(super) fn settle(&mut self, index: usize, sector: u64, cell: Cell) {
        self.layers[index].settle(sector, cell);
    }

    fn note_moment(&mut self, strangers: Vec<usize>) {
        let states = self.layers.iter().map(|history| history.states.len() - 1).collect();
        self.moments.push(Moment { states, strangers });
    }

    fn since(&self, when: When) -> impl Iterator<Item = &Moment> {
        let floor = if when == When::After { self.floor } else { self.floor_during };
        self.moments[floor..].iter()
    }
}
