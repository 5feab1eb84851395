//! Looking for a divergence in somebody's disk.

use super::{Divergence, Subject, Summary, Threads, minimize, run};
use crate::error::Result;
use crate::geometry::Geometry;
use crate::layer::UnmapBehavior;
use crate::oracle::Oracle;
use crate::request::Durability;
use crate::script::{Choices, Line, Op, OpKind, Profile, Script, SeedChoices, Shape, Suite, Target};

/// Of so many scripts for a disk that can be shared, the last is one of several threads.
const ONE_OF_THREADS_IN: u64 = 4;

/// Several threads meet on about so many neighbouring sectors.
const GROUND: u64 = 16;

/// And on so many at most: each that tells orders apart is read afterwards, and 64 requests can be put in order.
const REACH: u64 = 48;

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
/// Every fourth script is one of several threads, if the disk can be used by them: [`Subject::shared`] gives it, its
/// unmap is [`UnmapBehavior::Zeroes`], and it is not [`Subject::powered`]. What was found with [`Threads::RunFree`] is
/// shrunk as far as chance lets it show again.
///
/// A disk is reopened if it says that it can be. Its power is never cut, since nobody but its owner could: a flush that
/// makes nothing durable is not found here.
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
    let attempt = |script: &Script, mut subject: S| -> Result<Summary, Box<Divergence>> {
        let (mut oracle, _) = Oracle::new(&script.shape);
        oracle.declare_unmap(subject.unmap_behavior());
        run(script, &mut subject, &mut oracle, &mut |_| ())
    };
    let shape = Shape::own(geometry);
    let mut total = Summary::default();
    for case in 0..scripts {
        let mut subject = make();
        let of_threads = case % ONE_OF_THREADS_IN == ONE_OF_THREADS_IN - 1 && can_be_shared(&mut subject);
        let choices = &mut SeedChoices::new(seed, case);
        let lines = if of_threads { of_several(&shape, choices) } else { of_one(&shape, choices) };
        let chances = if of_threads && subject.threads() == Threads::RunFree { CHANCES } else { 1 };
        match attempt(&Script { shape: shape.clone(), lines }, subject) {
            Ok(summary) => total.add(&summary),
            Err(found) => {
                // The disk is what it is: a script for another geometry would be for another disk.
                let is_possible = |script: &Script| script.shape == shape && (!of_threads || is_narrow(script));
                let divergence = minimize(found, &mut |script| match is_possible(script) {
                    true => (0..chances).try_for_each(|_| attempt(script, make()).map(drop)),
                    false => Ok(()),
                });
                return Err(Finding { case, divergence });
            }
        }
    }
    Ok(total)
}

/// Whether the threads of a script do use it at once.
fn can_be_shared(subject: &mut impl Subject) -> bool {
    let zeroes = subject.unmap_behavior() == UnmapBehavior::Zeroes;
    zeroes && subject.shared().is_some() && subject.powered().is_none()
}

/// What one thread does, all over the disk.
fn of_one(shape: &Shape, choices: &mut SeedChoices) -> Vec<Line> {
    Script::generate_ops(&Profile::new(Suite::Layers), shape, choices).into_iter().map(Line::from).collect()
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
            *op = op.with_range(start + sector.min(REACH / 2), count.min(REACH / 2));
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

/// Whether what lies inside the disk is near enough together.
fn is_narrow(script: &Script) -> bool {
    let size = sectors(&script.shape);
    let ranges = script.lines.iter().filter_map(|line| line.op.range());
    let ends = ranges.filter_map(|(sector, count)| Some((sector, sector.checked_add(count)?)));
    let inside: Vec<_> = ends.filter(|(_, end)| *end <= size).collect();
    let start = inside.iter().map(|(start, _)| *start).min().unwrap_or(0);
    let end = inside.iter().map(|(_, end)| *end).max().unwrap_or(0);
    end - start <= REACH
}

fn sectors(shape: &Shape) -> u64 {
    shape.layers.first().map_or(1, |layer| layer.sector_count)
}
