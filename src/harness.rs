//! Where system, oracle and script meet.
//!
//! [`run`] does a script on a [`Subject`] and on the oracle, and compares after every step: the outcome, every byte of
//! every buffer, and how much of each layer was touched. After a refusal, a reopen, a change of the stack, and at the
//! end it compares every layer whole, read alone. What differs is a [`Divergence`], whose text is a new script.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use twox_hash::XxHash3_64;

use crate::error::Result;
use crate::oracle::Oracle;
use crate::script::{Line, Op, OpKind, Outcome, Script, Target, Touched};

#[cfg(feature = "planted-faults")]
mod canaries;
mod compare;
mod coverage;
mod divergence;
mod exercise;
mod explore;
mod film;
mod histogram;
mod history;
pub mod hostile;
#[cfg(feature = "planted-faults")]
mod hunt;
mod identities;
pub mod kills;
mod minimize;
mod observed;
mod origin;
mod powered;
mod scratch;
mod search;
mod shared;
mod stack;
mod struck;
mod subject;
mod sweep;
pub mod target;
mod threads;
mod world;

#[cfg(feature = "planted-faults")]
pub use canaries::Canary;
pub use coverage::Coverage;
pub use divergence::{Death, Difference, Divergence, Signature};
pub use exercise::{Exercise, Sight};
pub use explore::{BUSY, Explored, explore};
pub use film::{Film, Frame, Held, Row, Sectors, Wrong, film};
pub use histogram::Histogram;
pub use history::{Histories, History};
#[cfg(feature = "planted-faults")]
pub use hunt::{Engine, Ground, Hunt, Shown};
pub use minimize::minimize;
pub use powered::{IfRefused, Powered, Restarted};
pub use scratch::Scratch;
pub use search::{Finding, prove_own, search};
pub use shared::{Shared, Threads};
pub use stack::{StackSubject, prove, prove_watched};
pub use subject::{Abilities, Actual, Subject, act};
pub use sweep::{Swept, sweep};
pub use world::World;

use compare::Comparer;
use identities::Identities;

/// What a script that ran without a divergence has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// A hash of every operation, outcome and byte: the same script gives the same trace.
    pub trace: u64,
    /// Sectors compared.
    pub sectors: u64,
    /// What was met on the way.
    pub exercise: Exercise,
    /// In how many states each SQLite layer might have been after each power cut or failure.
    pub states: Histogram,
    /// What threads did at once.
    pub histories: Histories,
}

/// One step, for whoever watches.
pub struct Step<'a> {
    /// Its number; the first operation is 0.
    pub index: usize,
    /// What was done.
    pub op: &'a Op,
    /// What came of it.
    pub outcome: Outcome,
    /// How much of each layer was touched, if the subject can tell.
    pub touched: Option<&'a [Touched]>,
    /// The disk afterwards.
    pub disk: &'a dyn Subject,
    /// What it must be.
    pub oracle: &'a Oracle,
}

/// Does `script` on `subject` and on `oracle`, which stand at its beginning, and compares.
///
/// # Errors
///
/// The first difference.
pub fn run(
    script: &Script,
    subject: &mut dyn Subject,
    oracle: &mut Oracle,
    watch: &mut dyn FnMut(&Step<'_>),
) -> Result<Summary, Box<Divergence>> {
    let mut runner = Runner::new(script, subject, oracle);
    let mut exercise = Exercise::of_shape(&script.shape);
    if runner.subject.powered().is_some() {
        runner.compare_identities().map_err(|difference| runner.diverged_at_start(difference))?;
    }
    let mut next = 0;
    while let Some(Line { op, strike, .. }) = script.lines.get(next) {
        let index = next;
        let together = runner.at_once_from(index);
        next = together.end;
        if together.len() > 1 {
            runner.several(together, &mut exercise, watch)?;
            continue;
        }
        exercise.note(op, runner.oracle);
        let (outcome, touched) = match strike {
            None => runner.step(index, op)?,
            Some(strike) => (runner.step_struck(index, op, strike)?, None),
        };
        exercise.note_outcome(outcome);
        let (disk, oracle) = (&*runner.subject, &*runner.oracle);
        watch(&Step { index, op, outcome, touched: touched.as_deref(), disk, oracle });
        let looks = outcome.is_refusal()
            || matches!(op.kind(), OpKind::Reopen | OpKind::Push | OpKind::Discard | OpKind::Commit);
        if looks || index + 1 == script.lines.len() {
            runner.look(index, op)?;
        }
    }
    let Runner { hash, comparer, states, histories, .. } = runner;
    exercise.note_threads(&histories);
    Ok(Summary { trace: hash.finish(), sectors: comparer.sectors, exercise, states, histories })
}

impl Summary {
    /// Adds what another script has told; the traces are chained.
    pub fn add(&mut self, other: &Self) {
        self.trace = self.trace.rotate_left(5) ^ other.trace;
        self.sectors += other.sectors;
        self.exercise.add(&other.exercise);
        self.states.add(&other.states);
        self.histories.add(&other.histories);
    }
}

struct Runner<'a> {
    script: &'a Script,
    subject: &'a mut dyn Subject,
    oracle: &'a mut Oracle,
    comparer: Comparer,
    hash: XxHash3_64,
    identities: Identities,
    states: Histogram,
    histories: Histories,
}

impl<'a> Runner<'a> {
    fn new(script: &'a Script, subject: &'a mut dyn Subject, oracle: &'a mut Oracle) -> Self {
        Self {
            script,
            subject,
            oracle,
            comparer: Comparer::default(),
            hash: XxHash3_64::new(),
            identities: Identities::default(),
            states: Histogram::default(),
            histories: Histories::default(),
        }
    }

    /// One operation on both sides, and everything about it that must be equal.
    fn step(&mut self, index: usize, op: &Op) -> Result<(Outcome, Option<Vec<Touched>>), Box<Divergence>> {
        if !self.is_able(op) {
            return Ok((Outcome::Skipped, None));
        }
        let size = self.script.shape.sector_size as usize;
        self.comparer.prepare(index, op, size);
        self.subject.touched();
        let actual = self.act(op);
        let touched = self.subject.touched();
        let actual = actual.map_err(|panic| self.diverged(index, op, Difference::Panic(panic)))?;
        let outcome = self.agree(index, op, actual)?;
        if self.subject.powered().is_some() {
            // What has been drawn is seen once before a cut can hide where it came from.
            self.compare_identities().map_err(|difference| self.diverged(index, op, difference))?;
        }
        if let (Some(actual), Outcome::Done) = (&touched, outcome)
            && !matches!(op.kind(), OpKind::Reopen | OpKind::Push | OpKind::Discard | OpKind::Commit)
        {
            let compared = compare::touched(self.oracle.touched(), actual);
            compared.map_err(|difference| self.diverged(index, op, difference))?;
        }
        Ok((outcome, touched))
    }

    /// The oracle does what the subject has done; outcome and bytes must be equal.
    fn agree(&mut self, index: usize, op: &Op, actual: Actual) -> Result<Outcome, Box<Divergence>> {
        let size = self.script.shape.sector_size as usize;
        self.settle(op, actual.outcome);
        let expected = self.oracle.apply(op, &mut self.comparer.expected);
        if actual.outcome != expected.outcome {
            let difference =
                Difference::Outcome { expected: expected.outcome, actual: actual.outcome, message: actual.message };
            return Err(self.diverged(index, op, difference));
        }
        op.hash(&mut self.hash);
        actual.outcome.hash(&mut self.hash);
        self.hash.write(&self.comparer.actual);
        let compared = self.comparer.buffers(op, size, expected.present.as_deref(), actual.present.as_deref());
        compared.map_err(|difference| self.diverged(index, op, difference))?;
        Ok(expected.outcome)
    }

    /// The oracle takes note of what a read has found, where that was open.
    fn settle(&mut self, op: &Op, outcome: Outcome) {
        let size = self.script.shape.sector_size as usize;
        if outcome == Outcome::Done
            && op.target() == Target::Disk
            && let Some((sector, _)) = compare::read_range(op, size)
        {
            self.oracle.settle(sector, &self.comparer.actual);
        }
    }

    /// Compares what the layers say of who they are and over whom they lie (rule 14).
    fn compare_identities(&mut self) -> Result<(), Difference> {
        for layer in 0..self.oracle.layer_count() {
            let Some(metadata) = self.subject.layer(layer).map(|io| io.metadata()) else { continue };
            let expected = self.oracle.lineage(layer);
            if !self.identities.agree(expected, &metadata) {
                let (identity, parent) = (metadata.identity, metadata.parent);
                let what = format!("expected the generations {expected:?}, found {identity:?} and {parent:?}");
                return Err(Difference::Metadata { layer, what });
            }
        }
        Ok(())
    }

    fn is_able(&self, op: &Op) -> bool {
        let abilities = self.subject.abilities();
        match (op.kind(), op.target()) {
            (OpKind::Reopen, _) => abilities.reopen,
            (OpKind::Push | OpKind::Discard | OpKind::Commit, _) => abilities.reshape,
            (_, Target::Layer(_)) => abilities.layers,
            (_, Target::Disk) => true,
        }
    }

    fn act(&mut self, op: &Op) -> Result<Actual, String> {
        let buf = &mut self.comparer.actual;
        let size = self.script.shape.sector_size as usize;
        caught(|| act(self.subject, op, size, buf))
    }

    /// Compares every layer whole, read alone.
    fn look(&mut self, index: usize, op: &Op) -> Result<(), Box<Divergence>> {
        if !self.subject.abilities().layers {
            return Ok(());
        }
        let done = &self.script.lines[..=index];
        let looked = caught(|| self.comparer.layers(self.subject, self.oracle, done));
        let looked = looked.unwrap_or_else(|panic| Err(Difference::Panic(panic)));
        looked.map_err(|difference| self.diverged(index, op, difference))
    }

    fn diverged_at_start(&self, difference: Difference) -> Box<Divergence> {
        let script = self.script.clone();
        Box::new(Divergence { script, step: None, difference, layer_kind: None, origin: None })
    }

    fn diverged(&self, index: usize, op: &Op, difference: Difference) -> Box<Divergence> {
        let layer = difference.layer().or(match op.target() {
            Target::Layer(layer) => Some(layer),
            Target::Disk => None,
        });
        let layer_kind = layer.filter(|&layer| layer < self.oracle.layer_count()).map(|layer| self.oracle.kind(layer));
        let origin = origin::trace(self.script, index, &difference, self.subject, self.comparer.poison);
        Box::new(Divergence { script: self.script.clone(), step: Some(index), difference, layer_kind, origin })
    }
}

/// What `work` returns, or the words of its panic.
fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
    })
}
