//! `disklayer gate`: many random scripts, on every core, and one verdict.
//!
//! The same seed and number of scripts give the same trace, whatever the number of jobs. What is found is shrunk and
//! written down at once; the gate goes on, and stops after [`findings::MOST`] that differ.
//!
//! `--json` writes the whole [`report::Report`]; its fields are documented there and only added to.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::World;
use disklayer_sqlite::script::{Script, Suite};

use super::place::Place;
use super::plant::Plant;
use super::{Verdict, interrupt, outputs, quietly};

mod demands;
mod findings;
mod junit;
mod kills;
mod mark;
mod merge;
mod plan;
mod progress;
mod report;
mod slice;
mod tally;
mod text;
mod worker;

pub(super) use findings::Finding;
use findings::Findings;
pub(super) use mark::Seen;
pub(super) use merge::Merge;
use plan::{Extent, Plan, Runs, Shard};
use report::End;
#[cfg(feature = "planted-faults")]
pub(super) use report::Outcome;
pub(super) use report::{Report, name};
pub(super) use slice::Slice;
use tally::Tallies;

/// So many states for each script of power cuts.
const STATES: u64 = 54;

/// Run random scripts on stacks of real layers and on the oracle, and compare every byte
#[derive(Args)]
pub(super) struct Gate {
    /// What to draw the scripts from: a number, or `random`
    #[arg(long, default_value = "1", value_parser = seed)]
    seed: u64,
    /// How many scripts
    #[arg(long, value_name = "N", default_value_t = 100_000, conflicts_with = "time")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    scripts: u64,
    /// Instead of a number of scripts: how long, such as 90s, 5m or 8h
    #[arg(long, value_parser = time)]
    time: Option<Duration>,
    /// How many at a time [default: one for each core]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Only this suite; more than once for several [default: all]
    #[arg(long, value_name = "SUITE", value_parser = suite)]
    suite: Vec<Suite>,
    /// Only this part of the scripts, such as 1/4 to 4/4; `disklayer merge` joins their reports
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// For each script of the suite power-cuts: in how many states another one is cut short (every fourth is, in as
    /// many more)
    #[arg(long, value_name = "N", default_value_t = STATES)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    states: u64,
    /// Run each script twice: it must give the same trace
    #[arg(long)]
    twice: bool,
    /// Take longer: 3000 kills
    #[arg(long)]
    deep: bool,
    /// Afterwards, kill so many processes while they work on real files, and compare what they leave
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    kills: Option<u64>,
    #[command(flatten)]
    place: Place,
    /// Where to write what was found; made when it is needed
    #[arg(long, value_name = "DIR", default_value = "failures")]
    failures: PathBuf,
    /// Write the result for a CI system
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the whole report
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Gate {
    pub(super) fn execute(self, plant: Plant) -> Result<Verdict> {
        let base = self.place.base_sectors()?;
        let worlds = self.worlds()?;
        // What cannot be written in the end is better known at the start, and so is what would be written over.
        outputs::apart(self.junit.iter().chain(&self.json), self.place.base.as_deref())?;
        if self.failures.exists() && !self.failures.is_dir() {
            let what = format!("--failures {} is not a directory", self.failures.display());
            return Err(Error::new(ErrorKind::AlreadyExists, what));
        }
        let junit = self.junit.as_deref().map(Output::create).transpose()?;
        let json = self.json.as_deref().map(Output::create).transpose()?;
        let extent = self.extent()?;
        let plan = Plan::new(self.seed, extent, self.shard, self.suite.clone())
            .with(base, self.states)
            .with_runs(if self.twice { Runs::Twice } else { Runs::Once });
        let mut findings = Findings::new(
            self.failures.clone(),
            format!("`disklayer gate --seed {}`", self.seed),
            format!("{}{}", self.place.options(), plant.option()),
            self.place.clone(),
        );
        let start = Instant::now();
        let jobs = worlds.len();
        let tallies = run(worlds, &plan, &findings, plant)?;
        findings.need_room()?;
        let time = start.elapsed();
        let kills = self.kills.or(self.deep.then_some(kills::DEEP));
        let kills = kills.map(|kills| self.hunt(kills, plant).run(kills, jobs)).transpose()?;
        let end = match () {
            () if findings.are_enough() => End::Enough,
            () if interrupt::requested() => End::Interrupted,
            () => End::Whole,
        };
        let report = Report::new(&plan, jobs, time, &tallies, (findings.list(), kills), end);
        tell(&report, junit, json)
    }

    fn extent(&self) -> Result<Extent> {
        let Some(time) = self.time else { return Ok(Extent::Scripts(self.scripts)) };
        let until = Instant::now().checked_add(time);
        until.map(Extent::Until).ok_or_else(|| Error::new(ErrorKind::OutOfRange, "--time is longer than there is time"))
    }

    /// What kills afterwards; scripts are no part of it, so its command has only the one that a run must have.
    fn hunt(&self, kills: u64, plant: Plant) -> kills::Hunt<'_> {
        let Self { place, failures, seed, jobs, .. } = self;
        let jobs = jobs.map_or(String::new(), |jobs| format!(" --jobs {jobs}"));
        let again = format!("disklayer gate --scripts 1 --kills {kills}{jobs} --seed {seed}{}", plant.option());
        kills::Hunt { place, failures, seed: *seed, plant, again }
    }

    fn worlds(&self) -> Result<Vec<World>> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        (0..self.jobs.map_or_else(cores, usize::from)).map(|_| self.place.world()).collect()
    }
}

/// Writes a report in every form that was asked for.
fn tell(report: &Report, junit: Option<Output<'_>>, json: Option<Output<'_>>) -> Result<Verdict> {
    junit.map_or(Ok(()), |out| out.write(&junit::text(report)?))?;
    json.map_or(Ok(()), |out| out.write(&report.json()?))?;
    super::print(&text::text(report))?;
    Ok(report.verdict.into())
}

/// Every world gets a thread; the counts of all of them.
fn run(worlds: Vec<World>, plan: &Plan, findings: &Findings, plant: Plant) -> Result<Tallies> {
    let progress = progress::Progress::new(plan);
    std::thread::scope(|scope| {
        let (alive, watch) = std::sync::mpsc::channel::<()>();
        let mut threads = Vec::new();
        for mut world in worlds {
            let (alive, progress) = (alive.clone(), &progress);
            let work = move || {
                let _alive = alive;
                plant.within(|| quietly(|| worker::work(plan, &mut world, findings, progress)))
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, work);
            threads.push(thread.map_err(|e| Error::from_io("starting a thread", e))?);
        }
        drop(alive);
        progress.show_until_all_are_gone(&watch);
        // All of them, or the scope would panic for those that did.
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().map_err(broken)).collect();
        let mut tallies = Tallies::default();
        ended.into_iter().try_for_each(|tally| tally.map(|tally| tallies.add(&tally)))?;
        Ok(tallies)
    })
}

/// The harness catches what panics in the system; this was something else.
pub(super) fn broken(panic: Box<dyn std::any::Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
    Error::new(ErrorKind::Failed, format!("the harness itself panicked, `{text}`"))
}

/// A file that is written when all is done.
pub(super) struct Output<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Output<'a> {
    pub(super) fn create(path: &'a Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::from_io(format!("creating {}", path.display()), e))?;
        Ok(Self { path, file })
    }

    pub(super) fn write(mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|e| Error::from_io(format!("writing {}", self.path.display()), e))
    }
}

/// Script `case` of a gate; of those that it leads to, the one that diverges.
pub(super) fn script(seed: u64, case: u64, suites: Vec<Suite>, base: Option<u64>, world: &mut World) -> Script {
    let plan = Plan::new(seed, Extent::Scripts(u64::MAX), None, suites).with(base, STATES);
    let found = quietly(|| worker::run(&plan, case, plan.suite(case), world, &mut Tallies::default())).err();
    found.map_or_else(|| plan.script(case), |found| found.script)
}

pub(super) fn suite(text: &str) -> Result<Suite, String> {
    let names = || Suite::ALL.map(report::name).join(", ").replace(' ', "-").replace(",-", ", ");
    let found = Suite::ALL.into_iter().find(|&suite| report::name(suite).replace(' ', "-") == text);
    found.ok_or_else(|| format!("one of {} is expected", names()))
}

pub(super) fn seed(text: &str) -> Result<u64, String> {
    use std::hash::{BuildHasher, RandomState};
    match text {
        // A hasher's keys are the one randomness that the standard library has.
        "random" => Ok(RandomState::new().hash_one(std::process::id())),
        number => number.parse().map_err(|_| "a number below 2^64 or `random` is expected".to_owned()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text).map_err(|e| e.to_string())? {
        Duration::ZERO => Err("no script is run in no time".to_owned()),
        time => Ok(time),
    }
}

/// Whether nothing more is to be begun.
fn stopped(findings: &Findings) -> bool {
    interrupt::requested() || findings.are_over()
}
