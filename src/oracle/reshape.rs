//! What a stack must be (rule 9), and push, discard and commit (rule 14).

use super::{Model, Oracle, refused};
use crate::error::ErrorKind;
use crate::layer::Access;
use crate::script::{LayerKind, LayerShape, Outcome, Pushed};

impl Oracle {
    /// Whether the layers from `top` on are a stack.
    pub(super) fn judge_shape(&self, top: usize) -> Outcome {
        let layers = &self.layers[top..];
        if layers.is_empty() {
            return refused(ErrorKind::NoLayers);
        }
        let at = |kind, index| Outcome::Refused { kind, layer: Some(index) };
        for (index, Model { shape, .. }) in layers.iter().enumerate() {
            let bottom = index + 1 == layers.len();
            let cannot_be_filled = matches!(shape.kind, LayerKind::File | LayerKind::Own);
            if shape.write_through && index > 0 && !layers[index - 1].shape.write_through {
                return at(ErrorKind::WriteThroughNotContiguous, index);
            }
            if shape.write_through && bottom {
                return at(ErrorKind::NothingBelow, index);
            }
            if shape.read_cache && (bottom || cannot_be_filled) {
                return at(ErrorKind::CacheCannotBeFilled, index);
            }
        }
        let path = layers.iter().take_while(|layer| layer.shape.write_through).count() + 1;
        match layers.iter().take(path).position(|layer| layer.access() != Access::ReadWrite) {
            Some(index) if !self.read_only => at(ErrorKind::ReadOnlyInWritePath, index),
            _ => Outcome::Done,
        }
    }

    pub(super) fn push(&mut self, pushed: Pushed) -> Outcome {
        if self.read_only {
            return refused(ErrorKind::ReadOnly);
        }
        let top = self.layers[0].shape;
        if top.write_through {
            return Outcome::Refused { kind: ErrorKind::WriteThroughNotContiguous, layer: Some(1) };
        }
        let diff = pushed == Pushed::Sqlite;
        let kind = if diff { LayerKind::Sqlite } else { LayerKind::Ram };
        self.layers.insert(0, Model::new(LayerShape { diff, ..LayerShape::new(kind, top.sector_count) }));
        self.be_born(0, diff);
        self.forget_notes();
        self.chronicle_push();
        Outcome::Done
    }

    pub(super) fn discard(&mut self) -> Outcome {
        if let Some(outcome) = self.judge_reshape() {
            return outcome;
        }
        let outcome = self.judge_shape(1);
        if outcome == Outcome::Done {
            self.layers.remove(0);
            self.chronicle_discard();
        }
        outcome
    }

    pub(super) fn commit(&mut self) -> Outcome {
        if let Some(outcome) = self.judge_reshape() {
            return outcome;
        }
        if self.sector_count(0) != self.sector_count(1) {
            return refused(ErrorKind::SizeMismatch);
        }
        if matches!(self.kind(0), LayerKind::File | LayerKind::Own) {
            return Outcome::Refused { kind: ErrorKind::Unsupported, layer: Some(0) };
        }
        if self.access(1) != Access::ReadWrite {
            return Outcome::Refused { kind: ErrorKind::ReadOnly, layer: Some(1) };
        }
        self.note_coming(2);
        // Run by run, and the lower layer is durable before the top is emptied.
        let cells: Vec<_> = self.layers[0].sectors.iter().collect();
        for run in self.layers[0].sectors.runs() {
            self.changed(1, &run);
            for (range, cell) in cells.iter().filter(|(range, _)| run.contains(&range.start)) {
                self.layers[1].sectors.set(range.clone(), Some(*cell));
            }
            self.mark(1);
        }
        self.promise(1);
        self.changed(0, &(0..1));
        self.layers[0].sectors.clear();
        self.mark(0);
        Outcome::Done
    }
}
