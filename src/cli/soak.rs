//! `disklayer soak`: everything that finds something, through the night, with nobody there.
//!
//! The work is done in slices of a few seconds, each in a process of its own, so that one that crashes or does not get on
//! is a finding and not the end. What is found is written down by the slice itself; what was counted is written down after
//! each slice, whole or not at all. So Ctrl-C, `kill -9` and a restart lose a slice at most, which is then done again.
//!
//! Half of the time is shared equally by all lanes. The other half goes to those that still find something new: each gets
//! of it what its features have grown by lately, in parts of what it knew, beside what those of the others have.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use disklayer_sqlite::error::{Error, Result};

use super::plant::Plant;
use super::{Verdict, gate, interrupt};

mod child;
mod crash;
mod curves;
mod damage;
mod dir;
mod fuzz;
mod junit;
mod lane;
mod page;
mod report;
mod schedule;
mod screen;
mod state;
mod text;

use dir::Dir;
pub(super) use dir::found_nothing;
use fuzz::Fuzzers;
use lane::Lane;
use report::Report;
use state::State;

/// Where the fuzz targets are, if nothing is said.
const FUZZ: &str = "fuzz";
/// Less time than this is not worth a process.
const LEAST: Duration = Duration::from_millis(50);
/// More than anybody waits for, and little enough to be added to the time of day.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Run every suite for hours, in processes of its own, and report what was found
///
/// A directory that has a soak in it is gone on with; without `--for`, until the time that it was given is over.
#[derive(Args)]
pub(super) struct Soak {
    /// How long in all, such as 30m or 8h [default: 8h]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    /// How many processes at a time [default: one for each core]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where everything is kept: findings, state, report
    #[arg(long, value_name = "DIR", default_value = "soak")]
    dir: PathBuf,
    /// What to draw the scripts from: a number, or `random` [default: 1]
    #[arg(long, value_parser = gate::seed)]
    seed: Option<u64>,
    /// The workspace of the fuzz targets, built with `cargo fuzz` [default: fuzz, or only the suites without that]
    #[arg(long, value_name = "DIR")]
    fuzz: Option<PathBuf>,
    /// Leave the fuzz targets alone
    #[arg(long, conflicts_with = "fuzz")]
    no_fuzz: bool,
    /// How long a slice is
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    slice: Duration,
    /// How long one script may take before its process is killed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    hang: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if time > LONGEST { Err("at most 100 years are expected".to_owned()) } else { Ok(time) }
}

impl Soak {
    pub(super) fn execute(self, plant: Plant) -> Result<Verdict> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.map_or_else(cores, usize::from);
        let workspace = self.workspace()?;
        let dir = Dir::take(&self.dir)?;
        let mut state = dir.state(self.time, self.seed, jobs)?;
        state.remember(dir.findings()?);
        let fuzzers = workspace.map_or(Ok(Fuzzers::none()), Fuzzers::build)?;
        state.fit(&fuzzers);
        let work = dir.workplace(&mut state)?;
        let board = Board {
            start: Instant::now(),
            before: state.spent(),
            slice: self.slice,
            hang: self.hang,
            plant,
            program: std::env::current_exe().map_err(|e| Error::from_io("looking for this program", e))?,
            work: work.path().to_owned(),
            dir: &dir,
            fuzzers,
            seeds: workspace.unwrap_or(Path::new(FUZZ)).join("seeds"),
            shared: Mutex::new(Shared { busy: vec![false; state.lanes.len()], state }),
        };
        let ran = board.run(jobs);
        let mut state = board.shared.into_inner().unwrap_or_else(PoisonError::into_inner).state;
        state.workplace = None;
        dir.save(&state)?;
        drop(work);
        ran?;
        let report = Report::new(state, &self.dir, plant);
        dir.write("report.txt", &text::text(&report))?;
        dir.write("report.json", &report.json()?)?;
        dir.write("report.xml", &junit::text(&report)?)?;
        dir.write("report.html", &page::page(&report))?;
        super::print(&text::text(&report))?;
        Ok(report.verdict())
    }

    /// Where the fuzz targets are built, if they are; what was asked for by name is not left out in silence.
    fn workspace(&self) -> Result<Option<&Path>> {
        match &self.fuzz {
            _ if self.no_fuzz => Ok(None),
            Some(dir) => Fuzzers::can_be_built(dir).map(|()| Some(dir.as_path())),
            None => Ok(Some(Path::new(FUZZ)).filter(|dir| Fuzzers::can_be_built(dir).is_ok())),
        }
    }
}

/// What all threads work on.
struct Board<'a> {
    start: Instant,
    /// The time that was spent before this start.
    before: Duration,
    slice: Duration,
    hang: Duration,
    plant: Plant,
    program: PathBuf,
    /// Where processes have their layers.
    work: PathBuf,
    dir: &'a Dir,
    fuzzers: Fuzzers,
    /// Where the targets have what they begin with.
    seeds: PathBuf,
    shared: Mutex<Shared>,
}

struct Shared {
    state: State,
    /// Lanes that somebody is on.
    busy: Vec<bool>,
}

impl Board<'_> {
    /// Runs slices until the time is over.
    fn run(&self, jobs: usize) -> Result<()> {
        std::thread::scope(|scope| {
            let (alive, watch) = std::sync::mpsc::channel::<()>();
            let mut threads = Vec::new();
            for job in 0..jobs {
                let alive = alive.clone();
                let work = move || {
                    let _alive = alive;
                    self.work(job)
                };
                let thread = std::thread::Builder::new().spawn_scoped(scope, work);
                threads.push(thread.map_err(|e| Error::from_io("starting a thread", e))?);
            }
            drop(alive);
            screen::show_until_all_are_gone(self, &watch);
            let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().map_err(gate::broken)).collect();
            ends.into_iter().try_for_each(|end| end?)
        })
    }

    fn work(&self, job: usize) -> Result<()> {
        while let Some((index, lane, seed)) = self.take() {
            let time = self.slice.min(self.left());
            let begun = Instant::now();
            let came = lane.run(self, job, seed, time);
            let mut shared = self.shared();
            shared.busy[index] = false;
            let spent = self.before + self.start.elapsed();
            shared.state.lanes[index].paid(begun.elapsed(), self.slice);
            shared.state.absorb(index, came?, spent);
            self.dir.save(&shared.state)?;
        }
        Ok(())
    }

    /// The lane whose turn it is, if there is time left.
    fn take(&self) -> Option<(usize, Lane, u64)> {
        if interrupt::requested() || self.left() < LEAST {
            return None;
        }
        let Shared { state, busy } = &mut *self.shared();
        let index = schedule::next(&mut state.lanes, busy, self.slice.as_secs_f64())?;
        busy[index] = true;
        Some((index, state.lanes[index].clone(), state.seed))
    }

    fn left(&self) -> Duration {
        let all = self.shared().state.wanted();
        all.saturating_sub(self.before + self.start.elapsed())
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
