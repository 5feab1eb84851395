//! Every way in which a script could have been cut short.
//!
//! The script runs once, with every change of the drive on record. Then the power is cut at each moment of the record,
//! with what was not synced lost in many ways: exhaustively where there is little of it, else sampled by a seed. Each
//! state of the drive that differs is opened for real, judged, and used on; of some the opening is cut short as well.

use std::borrow::BorrowMut;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use twox_hash::XxHash3_64;

use super::identities::Identities;
use super::stack::Parts;
use super::struck::unsynced;
use super::{Divergence, Histogram, IfRefused, Powered, Runner, StackSubject, World, caught, prove};
use crate::drive::{Drive, Moment};
use crate::oracle::{Oracle, When};
use crate::script::{Choices, Line, Medium, Op, OpKind, Outcome, Script, SeedChoices, Target};
use crate::strike::{Cut, Lost, Strike};

/// What may be lost is tried in every combination up to so many units.
const EXHAUSTIVE: u32 = 4;
/// A state is used on for so many operations.
const USED_ON: usize = 2;
/// As many unsynced writes make a state interesting.
pub const BUSY: usize = 3;

/// What the states of one script, or of several, were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Scripts.
    pub scripts: u64,
    /// States of the drive that were opened and judged, those that were alike counted once.
    pub states: u64,
    /// Those of them that were cut with three unsynced writes or more.
    pub busy: u64,
    /// Those of them whose opening was cut short too.
    pub deep: u64,
    /// In how many states each SQLite layer might have been.
    pub permitted: Histogram,
}

impl Explored {
    /// Adds what another script has told.
    pub fn add(&mut self, other: &Self) {
        self.scripts += other.scripts;
        self.states += other.states;
        self.busy += other.busy;
        self.deep += other.deep;
        self.permitted.add(&other.permitted);
    }
}

/// What there was when an operation had returned.
struct Boundary {
    /// So many changes of the drive.
    done: usize,
    oracle: Oracle,
    parts: Parts,
    identities: Identities,
}

/// Explores at most about `budget` states of `script`, in which nothing needs to strike.
///
/// # Errors
///
/// The first state that is not what it may be, as a script with the cut on its line.
pub fn explore(script: &Script, world: &mut World, budget: u64, seed: u64) -> Result<Explored, Box<Divergence>> {
    let calm = script.without_strikes();
    world.reset();
    world.go_on_drive();
    let (mut oracle, outcome) = Oracle::new(&calm.shape);
    if outcome != Outcome::Done || !calm.shape.can_be_struck() {
        return Ok(Explored::default());
    }
    let Ok(mut subject) = StackSubject::create(&calm.shape, &mut *world) else { return Ok(Explored::default()) };
    oracle.begin_chronicle();
    let drive = subject.drive();
    drive.record();
    let boundaries = match boundaries(&calm, &mut subject, &mut oracle, &drive) {
        Ok(boundaries) => boundaries,
        Err(mut found) => {
            drop(subject);
            // Nothing has struck yet, and such a script has files only if it says so.
            found.script.shape.medium = Medium::Files;
            return Err(as_script(found, world));
        }
    };
    let record = drive.take_record();
    drive.cut();
    subject.lose_power();
    let mut explorer = Explorer {
        script: &calm,
        subject,
        boundaries: &boundaries,
        drive,
        choices: SeedChoices::new(seed, 0),
        seen: HashSet::new(),
        explored: Explored { scripts: 1, ..Explored::default() },
    };
    let moments = record.len() as u64;
    let each = (budget / moments.max(1)).max(1);
    let some = (moments / budget.max(1)).max(1);
    let found = record.moments().skip(1).try_for_each(|moment| {
        // Where little is left unsynced there is little to lose.
        let dull = moment.unsynced_writes() < BUSY && explorer.choices.percent(60);
        match !dull && explorer.choices.below(some) == 0 && explorer.explored.states < budget {
            true => explorer.cut_at(&moment, each),
            false => Ok(()),
        }
    });
    let explored = explorer.explored;
    match found {
        Ok(()) => Ok(explored),
        Err(found) => Err(as_script(found, world)),
    }
}

/// The same as a script: what replays is worth more than what was seen.
fn as_script(found: Box<Divergence>, world: &mut World) -> Box<Divergence> {
    prove(&found.script.clone(), world).err().unwrap_or(found)
}

/// Runs the script, and keeps what there was after each operation.
fn boundaries<W: BorrowMut<World>>(
    script: &Script,
    subject: &mut StackSubject<W>,
    oracle: &mut Oracle,
    drive: &Drive,
) -> Result<Vec<Boundary>, Box<Divergence>> {
    let mut identities = Identities::default();
    let mut boundaries = Vec::new();
    for step in 0..=script.lines.len() {
        let mut runner = Runner::new(script, subject, oracle);
        runner.identities = identities;
        match step.checked_sub(1) {
            None => runner.compare_identities().map_err(|difference| runner.diverged_at_start(difference))?,
            Some(index) => drop(runner.step(index, &script.lines[index].op)?),
        }
        identities = runner.identities;
        let (oracle, parts) = (oracle.clone(), subject.parts());
        boundaries.push(Boundary { done: drive.recorded(), oracle, parts, identities: identities.clone() });
    }
    Ok(boundaries)
}

struct Explorer<'a, W> {
    script: &'a Script,
    subject: StackSubject<W>,
    boundaries: &'a [Boundary],
    drive: Drive,
    choices: SeedChoices,
    /// Hashes of states, with the operation in which they were cut.
    seen: HashSet<u64>,
    explored: Explored,
}

impl<W: BorrowMut<World>> Explorer<'_, W> {
    /// Cuts the power at a moment, with about so many kinds of loss.
    fn cut_at(&mut self, moment: &Moment, losses: u64) -> Result<(), Box<Divergence>> {
        let step = self.boundaries.partition_point(|boundary| boundary.done < moment.done) - 1;
        for lost in self.losses(moment.units(), losses) {
            let mut hash = XxHash3_64::new();
            (moment.cut(&lost), lost == Lost::Nothing).hash(&mut hash);
            if !self.seen.insert(hash.finish()) {
                continue;
            }
            self.explored.states += 1;
            self.explored.busy += u64::from(moment.unsynced_writes() >= BUSY);
            let after = (moment.done - self.boundaries[step].done) as u32;
            let mut cuts = vec![Cut { after, lost }];
            self.state(step, moment, &mut cuts).map_err(|found| self.as_script(found, step, cuts))?;
        }
        Ok(())
    }

    /// What to lose of so many units.
    fn losses(&mut self, units: u32, wanted: u64) -> Vec<Lost> {
        if units <= EXHAUSTIVE && wanted >= 1 << units {
            let lost = |set: u32| Lost::These((1..=units).filter(|unit| set >> (unit - 1) & 1 == 1).collect());
            return (0..1 << units).map(lost).collect();
        }
        let draw = |_| match self.choices.below(9) {
            0 => Lost::Nothing,
            1 => Lost::Everything,
            // All that came after some moment; all but one; one alone.
            2 => Lost::These((self.choices.below(units.into()) as u32 + 1..=units).collect()),
            3 => {
                let kept = self.choices.below(units.into()) as u32 + 1;
                Lost::These((1..=units).filter(|&unit| unit != kept).collect())
            }
            4 => Lost::These(vec![self.choices.below(units.into()) as u32 + 1]),
            // A few neighbours, as when a drive had written in two places.
            5 => {
                let first = self.choices.below(units.into()) as u32 + 1;
                Lost::These((first..=units).take(self.choices.between(2, 4) as usize).collect())
            }
            _ => Lost::Some(self.choices.below(1 << 32) as u32),
        };
        (0..wanted).map(draw).collect()
    }

    /// Judges a state of the drive, cut at a moment.
    fn state(&mut self, step: usize, moment: &Moment, cuts: &mut Vec<Cut>) -> Result<(), Box<Divergence>> {
        let [before, after] = [&self.boundaries[step], &self.boundaries[step + 1]];
        let op = &self.script.lines[step].op;
        let reshapes = matches!(op.kind(), OpKind::Push | OpKind::Discard);
        // What has not said to be done leaves the layers as they were stacked.
        let (boundary, when) = match moment.done == after.done {
            true => (after, When::After),
            false if reshapes => (before, When::After),
            false => (after, When::During),
        };
        let mut oracle = boundary.oracle.clone();
        let parts = if when == When::During { &before.parts } else { &boundary.parts };
        self.subject.put_parts(parts);
        self.subject.lose_power();
        self.drive.restore_at(moment, &cuts[0].lost);
        if self.choices.percent(12) {
            self.explored.deep += 1;
            self.cut_opening(cuts);
        }
        let used_on = if self.choices.percent(50) { USED_ON } else { 0 };
        let end = self.script.lines.len().min(step + 1 + used_on);
        // What was found is durable once it is flushed, though there is nothing to write.
        let script = if self.choices.percent(25) { flushed_and_cut(self.script, end) } else { until(self.script, end) };
        let mut runner = Runner::new(&script, &mut self.subject, &mut oracle);
        runner.identities = boundary.identities.clone();
        runner.forget_ram();
        let floors = vec![when; runner.oracle.layer_count()];
        runner.open_again(step, op, &floors, when, unsynced(cuts))?;
        self.explored.permitted.add(&runner.states);
        for (index, Line { op, strike, .. }) in script.lines.iter().enumerate().skip(step + 1) {
            match strike {
                Some(Strike::Cut(cuts)) => runner.cut(index, op, When::After, cuts)?,
                _ => drop(runner.step(index, op)?),
            }
        }
        let _ = caught(|| self.subject.lose_power());
        Ok(())
    }

    /// Cuts the power once more, while the disk is being opened.
    fn cut_opening(&mut self, cuts: &mut Vec<Cut>) {
        self.drive.record();
        let _ = caught(|| self.subject.restart_stack(IfRefused::Leave).map(drop));
        let record = self.drive.take_record();
        self.drive.cut();
        self.subject.lose_power();
        let nth = self.choices.below(record.len() as u64 + 1) as usize;
        let Some(moment) = record.moments().nth(nth) else { return };
        let lost = self.losses(moment.units(), 1).into_iter().next().unwrap_or(Lost::Nothing);
        self.drive.restore_at(&moment, &lost);
        cuts.push(Cut { after: nth as u32, lost });
    }

    /// The divergence with the script that shows it.
    fn as_script(&self, mut found: Box<Divergence>, step: usize, cuts: Vec<Cut>) -> Box<Divergence> {
        found.script.lines[step].strike = Some(Strike::Cut(cuts));
        let end = found.step.map_or(step, |at| at.max(step)) + 1;
        found.script.lines.truncate(end);
        found
    }
}

/// The first `end` lines.
fn until(script: &Script, end: usize) -> Script {
    Script { shape: script.shape.clone(), lines: script.lines[..end].to_vec() }
}

/// The first `end` lines, a flush, and another one that has nothing to write and is followed by a power cut.
fn flushed_and_cut(script: &Script, end: usize) -> Script {
    let mut script = until(script, end);
    let flush = Line::from(Op::Flush { target: Target::Disk });
    let cut = Strike::Cut(vec![Cut { after: 0, lost: Lost::Everything }]);
    script.lines.extend([flush.clone(), Line { strike: Some(cut), ..flush }]);
    script
}
