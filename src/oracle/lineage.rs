//! Identities, generations and parents (rule 14), as numbers: each generation is a new one.

use std::ops::Range;

use super::{Oracle, refused};
use crate::error::ErrorKind;
use crate::fault::{Fault, planted};
use crate::script::{LayerKind, Outcome, Reopen};

/// Which state a layer is in, and over which it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lineage {
    /// Only SQLite layers have one.
    generation: Option<u64>,
    /// It has changed since the layer was opened, or since a child recorded it.
    changed: bool,
    promised: Option<u64>,
    parent: Option<Parent>,
    noted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    generation: Option<u64>,
    coming: Option<u64>,
}

impl Oracle {
    /// Makes the layers, from the bottom up, and stacks them.
    pub(super) fn create(&mut self) -> Outcome {
        for index in (0..self.layers.len()).rev() {
            if !self.be_born(index, self.layers[index].shape.diff) {
                return Outcome::Refused { kind: ErrorKind::NothingBelow, layer: Some(index) };
            }
        }
        self.judge_shape(0)
    }

    /// Gives layer `index` a generation if it can have one, and records its parent if it does that.
    pub(super) fn be_born(&mut self, index: usize, records_parent: bool) -> bool {
        if self.kind(index) == LayerKind::Sqlite {
            self.layers[index].lineage.generation = Some(self.draw());
        }
        if !records_parent {
            return true;
        }
        if index + 1 == self.layers.len() {
            return false;
        }
        self.record_parent(index);
        let below = &mut self.layers[index + 1].lineage;
        (below.changed, below.promised) = (false, None);
        true
    }

    fn record_parent(&mut self, index: usize) {
        let generation = self.layers[index + 1].lineage.generation;
        self.layers[index].lineage.parent = Some(Parent { generation, coming: None });
    }

    fn draw(&mut self) -> u64 {
        self.next_generation += 1;
        self.next_generation
    }

    /// Layer `index` is about to be changed in `range`.
    pub(super) fn changed(&mut self, index: usize, range: &Range<u64>) {
        let lineage = self.layers[index].lineage;
        let stays = lineage.changed || planted(Fault::OracleGenerationStays);
        if range.is_empty() || stays || lineage.generation.is_none() {
            return;
        }
        let next = lineage.promised.unwrap_or_else(|| self.draw());
        let lineage = &mut self.layers[index].lineage;
        (lineage.generation, lineage.promised, lineage.changed) = (Some(next), None, true);
        // Durable before the change itself is made.
        self.mark(index);
        self.promise(index);
    }

    /// The stack is about to change the first `path` layers: those above learn the generations to come.
    pub(super) fn note_coming(&mut self, path: usize) {
        for index in 1..path {
            let lineage = self.layers[index].lineage;
            let untold = lineage.generation.is_some() && !lineage.changed;
            if !lineage.noted && untold && self.layers[index - 1].lineage.parent.is_some() {
                let coming = lineage.promised.unwrap_or_else(|| self.draw());
                self.layers[index].lineage.promised = Some(coming);
                if let Some(parent) = &mut self.layers[index - 1].lineage.parent {
                    let known = parent.generation.and(lineage.generation);
                    *parent = Parent { generation: known, coming: Some(coming) };
                }
                self.mark(index - 1);
                self.promise(index - 1);
            }
            self.layers[index].lineage.noted = true;
        }
    }

    /// Of layer `index`, and before of those above, it was found what a request that failed has left. What it came to
    /// note stays noted, and durable.
    pub(super) fn keep_note(&mut self, index: usize) {
        let Some(above) = index.checked_sub(1) else { return };
        let recorded = self.layers[above].lineage.parent;
        let Lineage { promised, noted, .. } = self.layers[index].lineage;
        let is_kept = noted && promised.is_some() && recorded.is_some_and(|parent| parent.coming == promised);
        self.layers[index].lineage.noted = is_kept;
        if is_kept {
            self.promise_since(above, |lineage| lineage.parent == recorded);
        }
    }

    pub(super) fn forget_notes(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.lineage.noted = false);
    }

    /// Closes and opens. Refused, the disk is opened by one who knows.
    pub(super) fn reopen(&mut self, how: Reopen) -> Outcome {
        let mut outcome = Outcome::Done;
        let mismatch = |layer| Outcome::Refused { kind: ErrorKind::ParentMismatch, layer: Some(layer) };
        if how == Reopen::Elsewhere && self.layers.len() > 1 && self.layers[0].lineage.knows_its_parent() {
            outcome = mismatch(0);
        }
        self.open(how);
        if let Some(&stranger) = self.strangers().last() {
            outcome = if outcome == Outcome::Done { mismatch(stranger) } else { outcome };
            self.open(Reopen::Writable);
            for index in self.strangers() {
                self.record_parent(index);
                self.mark(index);
            }
        }
        outcome
    }

    fn open(&mut self, how: Reopen) {
        self.read_only = self.opens_read_only || how == Reopen::ReadOnly;
        for layer in &mut self.layers {
            let kept_in_file = matches!(layer.shape.kind, LayerKind::Sqlite | LayerKind::File);
            layer.frozen = how == Reopen::ReadOnly && kept_in_file && !layer.shape.read_cache;
            let lineage = &mut layer.lineage;
            (lineage.changed, lineage.promised, lineage.noted) = (false, None, false);
        }
    }

    /// The layers that do not lie over what they were made over.
    pub(super) fn strangers(&self) -> Vec<usize> {
        let is_stranger = |&index: &usize| {
            let below = self.layers.get(index + 1).and_then(|layer| layer.lineage.generation);
            let allowed = |generation: Option<u64>| generation.is_some() && generation == below;
            match self.layers[index].lineage.parent {
                Some(Parent { generation: None, .. }) | None => false,
                Some(parent) => !allowed(parent.generation) && !allowed(parent.coming),
            }
        };
        (0..self.layers.len()).filter(is_stranger).collect()
    }

    /// Whether the disk may be reshaped, and has a layer below its top.
    pub(super) fn judge_reshape(&self) -> Option<Outcome> {
        match () {
            () if self.read_only => Some(refused(ErrorKind::ReadOnly)),
            () if self.layers.len() == 1 => Some(refused(ErrorKind::NothingBelow)),
            () => None,
        }
    }
}

impl Lineage {
    /// This state, found in a layer that was never closed, where `now` was expected: a generation that is not in the
    /// file yet remains the one to come.
    pub(super) fn with_promise_of(self, now: &Self) -> Self {
        match self.generation == now.generation {
            true => Self { parent: self.parent, ..*now },
            false => Self { promised: now.generation, changed: false, noted: now.noted, ..self },
        }
    }

    /// Its generation, and those that it knows of its parent.
    pub(super) fn recorded(&self) -> (Option<u64>, [Option<u64>; 2]) {
        (self.generation, self.parent.map_or([None; 2], |parent| [parent.generation, parent.coming]))
    }

    fn knows_its_parent(&self) -> bool {
        self.parent.is_some_and(|parent| parent.generation.is_some())
    }
}
