//! Operations that are struck: the power is cut, or the drive fails, and what is left is judged.

use std::hash::Hasher;

use super::divergence::{Difference, Divergence};
use super::powered::{IfRefused, Restarted};
use super::subject::Actual;
use super::{Runner, caught};
use crate::drive::Struck;
use crate::error::ErrorKind;
use crate::layer::SectorMarker;
use crate::oracle::{Found, Survivor, Unsynced, When};
use crate::script::{LayerKind, Op, OpKind, Outcome, Reopen, Target};
use crate::strike::{Cut, Failure, Lost, Strike};

mod own;

impl Runner<'_> {
    /// One operation while something strikes, and everything that must be true afterwards.
    pub(super) fn step_struck(&mut self, index: usize, op: &Op, strike: &Strike) -> Result<Outcome, Box<Divergence>> {
        if !self.is_able(op) {
            return Ok(Outcome::Skipped);
        }
        self.comparer.prepare(index, op, self.script.shape.sector_size as usize);
        let arms = !self.would_adopt(op) || matches!(strike, Strike::Cut(_));
        match self.subject.powered() {
            Some(powered) if arms => powered.arm(strike),
            Some(_) => {}
            None => return Ok(Outcome::Skipped),
        }
        let actual = self.act(op);
        let struck = self.subject.powered().map_or(Struck::No, |powered| powered.disarm());
        let actual = actual.map_err(|panic| self.diverged(index, op, Difference::Panic(panic)))?;
        match strike {
            Strike::Cut(cuts) => {
                // Who has said that it is done is taken at his word, whatever has struck him.
                let when = match struck {
                    Struck::Yes if actual.outcome != Outcome::Done => self.happens_in_part(op),
                    _ => {
                        self.agree(index, op, actual)?;
                        When::After
                    }
                };
                self.cut(index, op, when, cuts)?;
                Ok(Outcome::Struck)
            }
            Strike::Fail { failure, .. } => {
                // Who is let go of cannot be asked any more whether it was his.
                if struck == Struck::Yes && *failure == Failure::Sync && reshapes(op) {
                    (0..self.oracle.layer_count()).for_each(|layer| self.oracle.doubt_file(layer));
                }
                self.after_failure(index, op, actual, struck)
            }
        }
    }

    /// Whether it opens a disk over a parent that changed. If that fails half way, nobody can tell whether the new parent
    /// has been recorded, and so it is left in peace.
    fn would_adopt(&self, op: &Op) -> bool {
        op.kind() == OpKind::Reopen && self.oracle.clone().apply(op, &mut []).outcome.is_refusal()
    }

    /// The oracle does an operation of which anything from nothing to all may have happened.
    fn happens_in_part(&mut self, op: &Op) -> When {
        if matches!(op.kind(), OpKind::Push | OpKind::Discard) {
            // What it has not said to be done leaves the stack as it was; the sectors stay the same in any case.
            return When::After;
        }
        self.oracle.apply(op, &mut self.comparer.expected);
        When::During
    }

    /// Cuts the power, and once more for each further cut while the disk is being opened; then judges what is left.
    pub(super) fn cut(&mut self, index: usize, op: &Op, when: When, cuts: &[Cut]) -> Result<(), Box<Divergence>> {
        for (nth, cut) in cuts.iter().enumerate() {
            let Some(powered) = self.subject.powered() else { return Ok(()) };
            let cut = caught(|| {
                if nth > 0 {
                    powered.arm(&Strike::Cut(vec![cut.clone()]));
                    let _ = powered.restart_stack(IfRefused::Leave);
                    powered.disarm();
                }
                powered.cut(&cut.lost);
            });
            cut.map_err(|panic| self.diverged(index, op, Difference::Panic(panic)))?;
        }
        self.forget_ram();
        self.open_again(index, op, &vec![when; self.oracle.layer_count()], when, unsynced(cuts))
    }

    pub(super) fn forget_ram(&mut self) {
        for layer in 0..self.oracle.layer_count() {
            if self.oracle.kind(layer) == LayerKind::Ram {
                self.oracle.adopt(layer, Found::Nothing);
            }
        }
    }

    /// Opens the disk, and judges every layer and the whole.
    pub(super) fn open_again(
        &mut self,
        index: usize,
        op: &Op,
        floors: &[When],
        when: When,
        unsynced: Unsynced,
    ) -> Result<(), Box<Divergence>> {
        let Some(powered) = self.subject.powered() else { return Ok(()) };
        let restarted = caught(|| powered.restart_stack(IfRefused::Adopt));
        let judged = match restarted {
            Err(panic) => Err(Difference::Panic(panic)),
            Ok(Err(error)) => Err(Difference::survival(error.layer(), format!("it does not open: {error}"))),
            Ok(Ok(restarted)) => self.judge(&restarted, floors, when, unsynced),
        };
        judged.map_err(|difference| self.diverged(index, op, difference))
    }

    fn judge(
        &mut self,
        restarted: &Restarted,
        floors: &[When],
        when: When,
        unsynced: Unsynced,
    ) -> Result<(), Difference> {
        for (layer, &floor) in floors.iter().enumerate() {
            match self.oracle.kind(layer) {
                LayerKind::Sqlite => self.recognise(layer, floor, restarted)?,
                LayerKind::File => self.compare_pieces(layer, floor)?,
                LayerKind::Ram => self.see_alive(layer)?,
                LayerKind::Own => self.survive_own(layer, floor)?,
            }
        }
        if !self.oracle.is_a_prefix(when) {
            let what = "each layer is in a state that it was in, and together they are none that the disk was in";
            return Err(Difference::survival(None, what));
        }
        // Asked before the oracle opens the disk, and has a new past.
        let past = self.oracle.unsynced_past(floors, unsynced);
        let strange: Vec<bool> = (0..floors.len()).map(|layer| self.oracle.may_be_strange(when, layer)).collect();
        let expected = self.oracle.apply(&Op::Reopen(Reopen::Writable), &mut []).outcome;
        let actual = Outcome::from(&restarted.opened);
        if actual != expected {
            let message = restarted.opened.as_ref().err().map(ToString::to_string);
            return Err(Difference::Outcome { expected, actual, message });
        }
        if let Outcome::Refused { kind: ErrorKind::ParentMismatch, layer: Some(layer) } = actual
            && !strange[layer]
        {
            let what = "it lies over a parent that it does not know, and never did before";
            return Err(Difference::survival(Some(layer), what));
        }
        self.oracle.resume_chronicle(past);
        self.compare_identities()
    }

    /// Finds the state in which a layer survived.
    fn recognise(&mut self, layer: usize, floor: When, restarted: &Restarted) -> Result<(), Difference> {
        let (bytes, present) = self.read_layer(layer)?;
        let survivor = Survivor { bytes: &bytes, present: &present };
        let alike = self.oracle.recognise(layer, floor, &survivor);
        let metadata = &restarted.found[layer];
        let fits = |&&state: &&usize| self.identities.permit(self.oracle.generations(layer, state), metadata);
        match alike.iter().find(fits) {
            Some(&state) => {
                self.oracle.adopt(layer, Found::State(state));
                self.states.note(self.oracle.permitted(layer, floor) as u64);
                Ok(())
            }
            None if alike.is_empty() => {
                let what = self.oracle.describe_stranger(layer, floor, &survivor);
                Err(Difference::survival(Some(layer), what))
            }
            None => {
                let what = format!("its sectors are right, its identity or parent is not: {metadata:?}");
                Err(Difference::survival(Some(layer), what))
            }
        }
    }

    fn compare_pieces(&mut self, layer: usize, floor: When) -> Result<(), Difference> {
        let (bytes, _) = self.read_layer(layer)?;
        if let Err(sector) = self.oracle.permits_pieces(layer, floor, &bytes) {
            let what = format!("sector {sector} has bytes that it had neither at the last flush nor since");
            return Err(Difference::survival(Some(layer), what));
        }
        self.oracle.adopt(layer, Found::Bytes(&bytes));
        Ok(())
    }

    /// All of a layer, read alone; zeros where it has nothing.
    fn read_layer(&mut self, layer: usize) -> Result<(Vec<u8>, Vec<bool>), Difference> {
        let look = |message: String| Difference::Look { layer, message };
        let count = self.oracle.sector_count(layer);
        let size = self.script.shape.sector_size as usize;
        let io = self.subject.layer(layer).ok_or_else(|| look("the layer is missing".to_owned()))?;
        let mut bytes = vec![0; count as usize * size];
        let mut marker = SectorMarker::new(0..count);
        io.read(0, &mut bytes, &mut marker).map_err(|error| look(error.to_string()))?;
        self.comparer.sectors += count;
        self.hash.write(&bytes);
        Ok((bytes, marker.range().map(|sector| marker.is_set(sector)).collect()))
    }

    /// Rule 18: the failure was heard, or there was none; who no longer holds every acknowledged byte says so.
    fn after_failure(
        &mut self,
        index: usize,
        op: &Op,
        actual: Actual,
        struck: Struck,
    ) -> Result<Outcome, Box<Divergence>> {
        if struck == Struck::No {
            let outcome = self.agree(index, op, actual)?;
            self.note_identities(index, op)?;
            return Ok(outcome);
        }
        let done = actual.outcome == Outcome::Done;
        let heard = matches!(actual.outcome, Outcome::Refused { kind, .. } if tells_of_failure(kind));
        if reshapes(op) && heard {
            // It failed before the oracle could have done it.
            self.oracle.chronicle_begins(op);
        } else {
            self.settle(op, actual.outcome);
            let expected = self.oracle.apply(op, &mut self.comparer.expected).outcome;
            self.oracle.excuse_fills();
            if !heard && actual.outcome != expected {
                let difference = Difference::Outcome { expected, actual: actual.outcome, message: actual.message };
                return Err(self.diverged(index, op, difference));
            }
        }
        if done && op.kind() == OpKind::Read {
            let size = self.script.shape.sector_size as usize;
            let compared = self.comparer.buffers(op, size, None, None);
            compared.map_err(|difference| self.diverged(index, op, difference))?;
        }
        self.judge_live(index, op, actual.outcome)
    }

    /// Looks at the layers as they are, and opens the disk again if one of them has failed.
    fn judge_live(&mut self, index: usize, op: &Op, outcome: Outcome) -> Result<Outcome, Box<Divergence>> {
        let layers = self.oracle.layer_count();
        let failed_at = match outcome {
            Outcome::Refused { layer, .. } => layer,
            _ => None,
        };
        let done = outcome == Outcome::Done;
        let changes = matches!(op, Op::Write { target: Target::Disk, .. } | Op::Unmap { .. });
        let mut floors = Vec::new();
        let mut failed = !done && matches!(op.kind(), OpKind::Push | OpKind::Discard | OpKind::Reopen | OpKind::Commit);
        for layer in 0..layers {
            let has_failed = self.has_failed(layer).map_err(|difference| self.diverged(index, op, difference))?;
            failed |= has_failed;
            if has_failed {
                self.oracle.doubt_file(layer);
            }
            floors.push(match () {
                // What it has said to be done it has promised, whatever has become of it.
                () if has_failed && done => When::After,
                () if has_failed => When::During,
                // A close that failed was heard as well.
                () if !done && op.kind() == OpKind::Reopen => When::During,
                // Rule 12: a change goes down from layer to layer, and ends where one fails.
                () if changes && failed_at.is_some_and(|at| layer > at) => When::Before,
                () if done && self.oracle.kind(layer) == LayerKind::Own => When::Now,
                () => When::Since,
            });
        }
        if !failed {
            if !done {
                self.oracle.take_back_promises();
            }
            // Nothing was lost, so what is seen is what was acknowledged; a request that failed is not seen.
            let alone = !done && matches!(op.target(), Target::Layer(_));
            for (layer, floor) in floors.iter().enumerate() {
                let judged = self.judge_one_alive(layer, *floor, alone);
                judged.map_err(|difference| self.diverged(index, op, difference))?;
            }
            self.note_identities(index, op)?;
            return Ok(if done { Outcome::Done } else { Outcome::Struck });
        }
        self.open_again(index, op, &floors, When::During, Unsynced::Kept)?;
        Ok(Outcome::Struck)
    }

    fn has_failed(&mut self, layer: usize) -> Result<bool, Difference> {
        if self.oracle.kind(layer) == LayerKind::Own {
            return self.own_has_failed();
        }
        let probe = self.subject.layer(layer).map(|io| io.next_extent(0));
        Ok(matches!(probe, Some(Err(error)) if error.kind() == ErrorKind::Failed))
    }

    /// What has been drawn is seen once before the next failure can leave open which generation it is.
    fn note_identities(&mut self, index: usize, op: &Op) -> Result<(), Box<Divergence>> {
        self.compare_identities().map_err(|difference| self.diverged(index, op, difference))
    }

    fn judge_one_alive(&mut self, layer: usize, floor: When, alone: bool) -> Result<(), Difference> {
        match self.oracle.kind(layer) {
            LayerKind::Sqlite => {}
            LayerKind::File => return self.compare_pieces(layer, floor),
            LayerKind::Ram => return self.see_alive(layer),
            LayerKind::Own => return self.survive_own(layer, floor),
        }
        let (bytes, present) = self.read_layer(layer)?;
        let survivor = Survivor { bytes: &bytes, present: &present };
        let mut alike = self.oracle.recognise(layer, floor, &survivor);
        if alone {
            alike.retain(|&state| self.oracle.holds_what_it_held(layer, state));
        }
        let metadata = self.subject.layer(layer).map(|io| io.metadata());
        let fits = |&&state: &&usize| {
            metadata.is_some_and(|metadata| self.identities.permit(self.oracle.generations(layer, state), &metadata))
        };
        match alike.iter().find(fits) {
            Some(&state) => {
                self.oracle.adopt(layer, Found::Alive(state));
                Ok(())
            }
            None => {
                let what = self.oracle.describe_stranger(layer, floor, &survivor);
                Err(Difference::survival(Some(layer), what))
            }
        }
    }

    /// A layer that cannot be told apart by its states: each sector is as it was before the operation, or after.
    fn see_alive(&mut self, layer: usize) -> Result<(), Difference> {
        let (bytes, present) = self.read_layer(layer)?;
        let survivor = Survivor { bytes: &bytes, present: &present };
        self.oracle.adopt_sectors(layer, &survivor).map_err(|sector| {
            let what = format!("sector {sector} is neither as it was before the operation nor as after");
            Difference::survival(Some(layer), what)
        })
    }
}

/// Whether it may let go of layers, or open others.
fn reshapes(op: &Op) -> bool {
    matches!(op.kind(), OpKind::Push | OpKind::Discard | OpKind::Reopen)
}

/// What the last of some cuts left of that which had not been synced.
pub(super) fn unsynced(cuts: &[Cut]) -> Unsynced {
    match cuts.last() {
        Some(Cut { lost: Lost::Nothing, .. }) => Unsynced::Kept,
        _ => Unsynced::Gone,
    }
}

/// What a failing drive may be called (rule 18).
fn tells_of_failure(kind: ErrorKind) -> bool {
    use ErrorKind::{Busy, Failed, Io, NoSpace, NotFound, PermissionDenied};
    matches!(kind, Busy | Failed | Io | NoSpace | NotFound | PermissionDenied)
}
