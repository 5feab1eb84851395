//! Looking for a divergence in somebody's disk.

use super::{Divergence, Subject, Summary, Threads, minimize, run};
use crate::error::Result;
use crate::geometry::Geometry;
use crate::layer::UnmapBehavior;
use crate::oracle::Oracle;
use crate::request::Durability;
use crate::script::{Choices, Line, Op, OpKind, Profile, Script, SeedChoices, Shape, Suite, Target};
use crate::strike::{Failure, Strike};

/// Of so many scripts, the last is one of several threads, if the disk can be shared.
const ROUND: u64 = 4;

/// Of a round, these are struck, if the power of the disk can be cut.
const STRUCK: [u64; 2] = [0, 2];

/// Several threads meet on about so many neighbouring sectors.
const GROUND: u64 = 16;

/// And their requests begin, and are long, by so many sectors at most.
const REACH: u64 = 24;

/// Some cuts come after so many writes.
const FAR: u64 = 150;

/// Threads that run free do the same thing again only by chance: a simpler script has so many chances to diverge.
const CHANCES: usize = 10;

/// A divergence that was found and shrunk.
#[derive(Debug)]
pub struct Finding {
    /// The script after which it was found, counted from 0.
    pub case: u64,
    /// The shrunk divergence; its text is a script.
    pub divergence: Box<Divergence>,
}

/// Runs `scripts` random scripts on disks of that geometry; `make` makes a new one for each.
///
/// - A disk is reopened if it says that it can be: [`Abilities::reopen`](super::Abilities::reopen).
/// - Every fourth script is one of several threads, if the disk can be used by them: [`Subject::shared`] gives it, and its
///   unmap is [`UnmapBehavior::Zeroes`]. What was found with [`Threads::RunFree`] is shrunk as far as chance lets it show
///   again.
/// - In every second script the power is cut, or what the disk is stored on fails, if the disk is [`Subject::powered`].
///   Without that, a flush that makes nothing durable is not found.
///
/// # Errors
///
/// The first divergence, shrunk.
pub fn search<S: Subject>(
    geometry: Geometry,
    seed: u64,
    scripts: u64,
    mut make: impl FnMut() -> S,
) -> Result<Summary, Finding> {
    let shape = Shape::own(geometry);
    let mut total = Summary::default();
    for case in 0..scripts {
        let mut subject = make();
        let choices = &mut SeedChoices::new(seed, case);
        let of_threads = case % ROUND == ROUND - 1 && can_be_shared(&subject);
        let lines = match case % ROUND {
            _ if of_threads => of_several(&shape, choices),
            nth if STRUCK.contains(&nth) && subject.powered().is_some() => struck(&shape, choices),
            _ => of_one(&shape, choices),
        };
        let chances = if of_threads && subject.threads() == Threads::RunFree { CHANCES } else { 1 };
        match prove_own(&Script { shape: shape.clone(), lines }, &mut subject) {
            Ok(summary) => total.add(&summary),
            Err(found) => {
                // The disk is what it is: a script for another geometry would be for another disk.
                let divergence = minimize(found, &mut |script| match script.shape == shape {
                    true => (0..chances).try_for_each(|_| prove_own(script, &mut make()).map(drop)),
                    false => Ok(()),
                });
                return Err(Finding { case, divergence });
            }
        }
    }
    Ok(total)
}

/// Runs `script`, such as one that [`search`] has found, on a new disk of somebody's own.
///
/// # Errors
///
/// The first difference between the disk and the oracle.
pub fn prove_own(script: &Script, subject: &mut impl Subject) -> Result<Summary, Box<Divergence>> {
    let (mut oracle, _) = Oracle::new(&script.shape);
    oracle.declare_unmap(subject.unmap_behavior());
    if let Some(powered) = subject.powered().filter(|_| script.lines.iter().any(|line| line.strike.is_some())) {
        oracle.declare_keeps(powered.keeps());
        oracle.begin_chronicle();
    }
    run(script, subject, &mut oracle, &mut |_| ())
}

/// Whether the threads of a script do use it at once.
fn can_be_shared(subject: &impl Subject) -> bool {
    subject.unmap_behavior() == UnmapBehavior::Zeroes && subject.shared().is_some()
}

/// What one thread does, all over the disk.
fn of_one(shape: &Shape, choices: &mut SeedChoices) -> Vec<Line> {
    Script::generate_ops(&Profile::new(Suite::Layers), shape, choices).into_iter().map(Line::from).collect()
}

/// What one thread does while something strikes.
fn struck(shape: &Shape, choices: &mut SeedChoices) -> Vec<Line> {
    let suite = choices.weighted(&[(3, Suite::PowerCuts), (2, Suite::FailingDrive)]);
    let mut lines = Script::generate_struck(&Profile::new(suite), shape, choices);
    lines.iter_mut().for_each(|line| line.op = of_the_disk(line.op));
    lines.retain(|line| !matches!(line.op.kind(), OpKind::Push | OpKind::Discard | OpKind::Commit));
    for strike in lines.iter_mut().filter_map(|line| line.strike.as_mut()) {
        match strike {
            // A disk of one's own may make more calls in an operation than a layer does: when it compacts, for one.
            Strike::Cut(cuts) if choices.percent(15) => cuts[0].after = choices.between(0, FAR) as u32,
            Strike::Fail { failure, .. } if choices.percent(25) => *failure = Failure::Sync,
            _ => {}
        }
    }
    if !choices.percent(50) {
        return lines;
    }
    // Who flushes again after a failure is told that all is well, and it may not be (LWN 752063).
    let again = |line: Line| {
        let has_failed = matches!(line.strike, Some(Strike::Fail { .. }));
        let flush = has_failed && choices.percent(60);
        std::iter::once(line).chain(flush.then_some(Line::from(Op::Flush { target: Target::Disk })))
    };
    lines.into_iter().flat_map(again).collect()
}

/// What several threads do to a stack of a few sectors, done to the start of the disk, to its end, or in between.
fn of_several(shape: &Shape, choices: &mut SeedChoices) -> Vec<Line> {
    let size = sectors(shape);
    let ground = size.min(GROUND);
    let start = match choices.below(3) {
        0 => 0,
        1 => size - ground,
        _ => choices.below(size - ground + 1),
    };
    let profile = Profile { base: Some(ground), ..Profile::new(Suite::Threads) };
    let mut lines = Script::generate(&profile, choices).lines;
    lines.retain(|line| line.op.kind() != OpKind::Odd);
    for Line { op, .. } in &mut lines {
        *op = of_the_disk(*op);
        if let Some((sector, count)) = op.range() {
            *op = op.with_range(start + sector.min(REACH), count.min(REACH));
        }
    }
    lines
}

fn of_the_disk(op: Op) -> Op {
    let target = Target::Disk;
    match op {
        Op::Read { sector, count, .. } => Op::Read { target, sector, count },
        Op::Write { sector, count, content, durability, .. } => {
            Op::Write { target, sector, count, content, durability }
        }
        Op::Fill { sector, count, content, .. } => {
            Op::Write { target, sector, count, content, durability: Durability::Flushed }
        }
        Op::UnmapLayer { sector, count, .. } => Op::Unmap { sector, count },
        Op::Flush { .. } => Op::Flush { target },
        op => op,
    }
}

fn sectors(shape: &Shape) -> u64 {
    shape.layers.first().map_or(1, |layer| layer.sector_count)
}
