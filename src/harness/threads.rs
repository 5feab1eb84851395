//! Operations that run at once: each thread does its lines in order, and what came of it is looked for among the orders
//! that the oracle permits.

use std::hash::Hash;
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use super::history::History;
use super::shared::{Hand, Shared, Threads};
use super::subject::{Actual, act};
use super::{Difference, Divergence, Exercise, Runner, Step, caught, compare};
use crate::fault::Planted;
use crate::layer::{SectorMarker, UnmapBehavior};
use crate::oracle::{Request, Seen, Unexplained};
use crate::script::{Content, Line, Op, Outcome, Script};
use crate::sync::turns::{self, Turned};

/// What a thread has to do: lines with their numbers.
type Task<'a> = Vec<(usize, &'a Line)>;

/// What came of lines, by their numbers.
type Outcomes = Vec<(usize, Outcome)>;

/// What was done, each with the thread that did it.
type Requests = Vec<(u8, Request)>;

/// A line that was done.
struct Done {
    line: usize,
    called: u64,
    returned: u64,
    bytes: Vec<u8>,
    poison: u8,
    /// What came of it, or the words of its panic.
    actual: Result<Actual, String>,
}

impl Runner<'_> {
    /// The lines that run at once, beginning with `start`. A single thread does its lines one by one; so do all if
    /// the power may be cut: cuts are judged by one order of the operations and not by all that threads allow.
    pub(super) fn at_once_from(&mut self, start: usize) -> Range<usize> {
        let lines = self.script.at_once(start);
        let thread = |line: &Line| line.turn.as_ref().map(|turn| turn.thread);
        let several =
            self.script.lines[lines.clone()].iter().any(|line| thread(line) != thread(&self.script.lines[start]));
        let zeroes = self.subject.unmap_behavior() == UnmapBehavior::Zeroes;
        // What they have left can be seen.
        let seen = self.subject.abilities().layers || self.oracle.layer_count() == 1;
        let shared = zeroes && seen && self.subject.shared().is_some() && !self.oracle.keeps_chronicle();
        match several && shared {
            true => lines,
            false => start..start + 1,
        }
    }

    /// Does lines at once, counts them, and compares every layer afterwards.
    pub(super) fn several(
        &mut self,
        lines: Range<usize>,
        exercise: &mut Exercise,
        watch: &mut dyn FnMut(&Step<'_>),
    ) -> Result<(), Box<Divergence>> {
        let script = self.script;
        let last = lines.end - 1;
        script.lines[lines.clone()].iter().for_each(|line| exercise.note(&line.op, self.oracle));
        let (outcomes, requests) = self.at_once(lines)?;
        for (index, outcome) in outcomes {
            exercise.note_outcome(outcome);
            let (disk, oracle) = (&*self.subject, &*self.oracle);
            watch(&Step { index, op: &script.lines[index].op, outcome, touched: None, disk, oracle });
        }
        self.look(last, &script.lines[last].op).map_err(|mut found| {
            // All orders do the same to the sectors between those that were judged.
            let unexplained = match &found.difference {
                Difference::Bytes(bytes) => Unexplained::Sector(bytes.sector),
                Difference::Presence { sector, .. } => Unexplained::Sector(*sector),
                _ => return found,
            };
            found.difference = Difference::History(Box::new(History { requests, unexplained }));
            found
        })
    }

    /// Does lines at once, and takes over the state that explains them; what came of each, and what was done.
    fn at_once(&mut self, lines: Range<usize>) -> Result<(Outcomes, Requests), Box<Divergence>> {
        let able: Vec<usize> = lines.clone().filter(|&line| self.is_able(&self.script.lines[line].op)).collect();
        let Some(disk) = self.subject.shared() else { unreachable!("only a shared disk is used by threads") };
        let size = self.script.shape.sector_size as usize;
        let (mut done, turned) = work(disk, self.subject.threads(), &tasks(self.script, &able), size);
        done.sort_by_key(|done| done.line);
        let mut requests = Vec::new();
        let mut outcomes = Vec::new();
        for done in done {
            let Line { op, turn, .. } = &self.script.lines[done.line];
            let actual = done.actual.map_err(|panic| self.diverged(done.line, op, Difference::Panic(panic)))?;
            let expected = self.oracle.clone().apply(op, &mut vec![0; op.buffer_len(size)]).outcome;
            if actual.outcome != expected {
                let difference = Difference::Outcome { expected, actual: actual.outcome, message: actual.message };
                return Err(self.diverged(done.line, op, difference));
            }
            outcomes.push((done.line, expected));
            if let (Outcome::Done, Some(turn)) = (expected, turn) {
                let Done { called, returned, bytes, poison, .. } = done;
                let op = in_sectors(*op, size);
                let request = Request { op, called, returned, bytes, poison, present: actual.present };
                requests.push((turn.thread, request));
            }
        }
        let requests = self.explain(lines.end - 1, requests, turned)?;
        Ok((outcomes, requests))
    }

    /// Finds an order that explains the requests and what lies in the layers now.
    fn explain(&mut self, last: usize, requests: Requests, turned: Turned) -> Result<Requests, Box<Divergence>> {
        let op = self.script.lines[last].op;
        let seen = self.look_at(&requests);
        let seen = seen.map_err(|difference| self.diverged(last, &op, difference))?;
        self.comparer.sectors += seen.len() as u64;
        if self.subject.threads() == Threads::TakeTurns {
            turned.interleaving.hash(&mut self.hash);
            requests.iter().for_each(|(_, request)| request.bytes.hash(&mut self.hash));
        }
        let all: Vec<Request> = requests.iter().map(|(_, request)| request.clone()).collect();
        match self.oracle.explain(&all, &seen) {
            Ok(orders) => {
                self.histories.note(&requests, turned, orders);
                Ok(requests)
            }
            Err(unexplained) => {
                let history = History { requests, unexplained };
                Err(self.diverged(last, &op, Difference::History(Box::new(history))))
            }
        }
    }

    /// What lies in the sectors that tell orders apart: on each layer alone, or else on the disk.
    fn look_at(&mut self, requests: &Requests) -> Result<Vec<Seen>, Difference> {
        let ops: Vec<Op> = requests.iter().map(|(_, request)| request.op).collect();
        let sectors = self.oracle.telling_sectors(&ops).into_iter();
        match self.subject.abilities().layers {
            true => sectors.map(|sector| self.see(sector)).collect(),
            false => sectors.map(|sector| self.see_own(sector)).collect(),
        }
    }

    fn see_own(&mut self, sector: u64) -> Result<Seen, Difference> {
        let mut bytes = vec![0; self.script.shape.sector_size as usize];
        let read = caught(|| self.subject.read(sector, &mut bytes)).map_err(Difference::Panic)?;
        read.map_err(|error| Difference::Look { layer: 0, message: error.to_string() })?;
        Ok(Seen { sector, layers: vec![Some(bytes)] })
    }

    fn see(&self, sector: u64) -> Result<Seen, Difference> {
        let look = |index: usize| {
            if sector >= self.oracle.sector_count(index) {
                return Ok(None);
            }
            let failed = |message| Difference::Look { layer: index, message };
            let layer = self.subject.layer(index).ok_or_else(|| failed("the layer is missing".to_owned()))?;
            let mut marker = SectorMarker::new(sector..sector + 1);
            let mut bytes = vec![0; self.script.shape.sector_size as usize];
            caught(|| layer.read(sector, &mut bytes, &mut marker))
                .map_err(Difference::Panic)?
                .map_err(|error| failed(error.to_string()))?;
            Ok(marker.is_set(sector).then_some(bytes))
        };
        Ok(Seen { sector, layers: (0..self.oracle.layer_count()).map(look).collect::<Result<_, _>>()? })
    }
}

/// What each thread has to do, in the order in which the threads come up.
fn tasks<'a>(script: &'a Script, lines: &[usize]) -> Vec<Task<'a>> {
    let mut tasks: Vec<(u8, Task<'a>)> = Vec::new();
    for &number in lines {
        let line = &script.lines[number];
        let Some(turn) = &line.turn else { continue };
        match tasks.iter_mut().find(|(thread, _)| *thread == turn.thread) {
            Some((_, task)) => task.push((number, line)),
            None => tasks.push((turn.thread, vec![(number, line)])),
        }
    }
    tasks.into_iter().map(|(_, task)| task).collect()
}

/// Has every task done by a thread of its own.
fn work(disk: &dyn Shared, threads: Threads, tasks: &[Task<'_>], sector_size: usize) -> (Vec<Done>, Turned) {
    let clock = AtomicU64::new(0);
    let start = Barrier::new(tasks.len());
    let planted = Planted::here();
    let clock = &clock;
    let work =
        |task: &Task<'_>| planted.within(|| task.iter().map(|line| one(disk, *line, clock, sector_size)).collect());
    match threads {
        Threads::TakeTurns => {
            let (done, turned) = turns::take(tasks.iter().map(|task| || -> Vec<Done> { work(task) }).collect());
            (done.into_iter().flat_map(|done| done.unwrap_or_default()).collect(), turned)
        }
        Threads::RunFree => {
            let (start, work) = (&start, &work);
            let done = std::thread::scope(|scope| {
                let work = |task| {
                    scope.spawn(move || -> Vec<Done> {
                        start.wait();
                        work(task)
                    })
                };
                let threads: Vec<_> = tasks.iter().map(work).collect();
                threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
            });
            (done, Turned::default())
        }
    }
}

fn one(disk: &dyn Shared, (line, what): (usize, &Line), clock: &AtomicU64, sector_size: usize) -> Done {
    let poison = compare::poison_for(line, &what.op);
    let mut bytes = vec![poison; what.op.buffer_len(sector_size)];
    turns::begin(what.turn.as_ref().map_or(&[], |turn| &turn.yields));
    let called = clock.fetch_add(1, Ordering::SeqCst);
    let actual = caught(|| act(&mut Hand(disk), &what.op, sector_size, &mut bytes));
    let returned = clock.fetch_add(1, Ordering::SeqCst);
    Done { line, called, returned, bytes, poison, actual }
}

/// The same in whole sectors, for what was counted in bytes and is that.
fn in_sectors(op: Op, sector_size: usize) -> Op {
    let count = |len: u32| len / sector_size as u32;
    match op {
        Op::ReadBytes { target, sector, len } => Op::Read { target, sector, count: count(len) },
        Op::WriteBytes { target, sector, len } => Op::Write {
            target,
            sector,
            count: count(len),
            content: Content::Fill(Op::ODD_BYTE),
            durability: crate::request::Durability::Flushed,
        },
        op => op,
    }
}
