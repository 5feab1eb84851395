//! `disklayer hostile`: many damaged and malicious files are opened, and none may do harm.
//!
//! The same seed makes the same files. What is found is shrunk and written down at once; the run stops when it has met
//! [`findings::MOST`] kinds of wrong.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::Args;
use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::harness::hostile::{Case, Outcome, Tally, Yard};

use super::plant::Plant;
use super::table::{counted, name_and_numbers, rounded};
use super::{Verdict, gate, inputs, interrupt, quietly};

mod findings;
pub(super) mod progress;

use findings::Findings;
use progress::Progress;

/// So many files are taken at once.
const CHUNK: u64 = 64;

/// Damage sound files, open them, and judge what comes of it
#[derive(Args)]
pub(super) struct Hostile {
    /// What to draw the files from: a number, or `random`
    #[arg(long, default_value = "1", value_parser = gate::seed)]
    seed: u64,
    /// How many files
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    files: u64,
    /// How many at a time [default: one for each core]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where to write what was found; made when it is needed
    #[arg(long, value_name = "DIR", default_value = "failures")]
    failures: PathBuf,
    /// Instead of many files: the one that a file describes, such as one that was found
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "files", "jobs"])]
    case: Option<PathBuf>,
}

impl Hostile {
    pub(super) fn execute(self, plant: Plant) -> Result<Verdict> {
        match &self.case {
            Some(path) => replay(path),
            None => self.run(plant),
        }
    }

    fn run(self, plant: Plant) -> Result<Verdict> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.map_or_else(cores, usize::from);
        let yards = (0..jobs).map(|_| Yard::new()).collect::<Result<Vec<_>>>()?;
        let findings = Findings::new(self.failures, self.seed, plant.option());
        let (start, next, progress) = (Instant::now(), AtomicU64::new(0), Progress::new(self.files, "files"));
        let work = |mut yard: Yard| {
            let mut tally = Tally::default();
            let take = || Some(next.fetch_add(CHUNK, Relaxed)).filter(|chunk| *chunk < self.files);
            while let Some(chunk) = take() {
                for number in chunk..self.files.min(chunk + CHUNK) {
                    if interrupt::requested() || findings.are_enough() {
                        return tally;
                    }
                    judge(&mut yard, self.seed, number, &findings, &mut tally);
                    progress.did_one();
                }
            }
            tally
        };
        let tally = std::thread::scope(|scope| {
            let (alive, watch) = std::sync::mpsc::channel::<()>();
            let mut threads = Vec::new();
            for yard in yards {
                let (alive, work) = (alive.clone(), &work);
                let work = move || {
                    let _alive = alive;
                    plant.within(|| quietly(|| work(yard)))
                };
                let thread = std::thread::Builder::new().spawn_scoped(scope, work);
                threads.push(thread.map_err(|e| Error::from_io("starting a thread", e))?);
            }
            drop(alive);
            progress.show_until_all_are_gone(&watch);
            // All are waited for before the first that broke is told of.
            let tallies: Vec<_> = threads.into_iter().map(|thread| thread.join().map_err(gate::broken)).collect();
            let mut sum = Tally::default();
            for tally in tallies {
                sum.add(&tally?);
            }
            Ok(sum)
        })?;
        let report = Report { seed: self.seed, wanted: self.files, time: start.elapsed(), tally, findings };
        super::print(&report.text())?;
        Ok(report.verdict())
    }
}

fn judge(yard: &mut Yard, seed: u64, number: u64, findings: &Findings, tally: &mut Tally) {
    let start = Instant::now();
    match yard.judge(&Case::draw(seed, number), &|| start.elapsed()) {
        Ok(judged) => tally.note(&judged),
        Err(found) => {
            tally.note_wrong(found.wrong.slug());
            findings.meet(number, found, yard);
        }
    }
}

fn replay(path: &Path) -> Result<Verdict> {
    let text = inputs::text(path, "a case")?;
    let case: Case = text.parse().map_err(|e: Error| e.in_context(path.display()))?;
    let mut yard = Yard::new()?;
    let start = Instant::now();
    let (verdict, text) = match quietly(|| yard.judge(&case, &|| start.elapsed())) {
        Ok(judged) => {
            let past = if judged.past_schema { ", past SQLite's header and schema" } else { "" };
            (Verdict::Pass, format!("PASS  {:?}{past}, opened within {:.1?}\n", judged.outcome, judged.slowest))
        }
        Err(found) => (Verdict::Fail, format!("FAIL  {}\n\n{found}", found.wrong)),
    };
    super::print(&text)?;
    Ok(verdict)
}

struct Report {
    seed: u64,
    wanted: u64,
    time: Duration,
    tally: Tally,
    findings: Findings,
}

impl Report {
    /// Whether fewer than half came to where the layer itself must judge.
    fn is_too_shallow(&self) -> bool {
        self.tally.files >= 1000 && self.tally.past_schema * 2 < self.tally.files
    }

    fn verdict(&self) -> Verdict {
        match () {
            () if !self.tally.wrong.is_empty() || self.is_too_shallow() => Verdict::Fail,
            () if self.tally.files < self.wanted => Verdict::Interrupted,
            () => Verdict::Pass,
        }
    }

    fn text(&self) -> String {
        let Self { seed, time, tally, .. } = self;
        let (word, what) = match self.verdict() {
            Verdict::Pass => ("PASS", String::new()),
            Verdict::Interrupted => ("STOP", ": interrupted, nothing found".to_owned()),
            Verdict::Fail if tally.wrong.is_empty() => {
                ("FAIL", ": fewer than half got past SQLite's header and schema".to_owned())
            }
            Verdict::Fail | Verdict::Code(_) => {
                ("FAIL", format!(": {} done wrong with", counted(tally.wrong.values().sum(), "file")))
            }
        };
        let seconds = time.as_secs_f64();
        let mut text = format!(
            "{word}  {} hostile files, {} sectors compared in {seconds:.1} s ({:.0} files/s), seed {seed}, \
             slowest open {:.1} ms{what}\n\n",
            tally.files,
            rounded(tally.sectors),
            tally.files as f64 / seconds.max(0.001),
            tally.slowest.as_secs_f64() * 1e3,
        );
        text += &name_and_numbers(&self.rows());
        self.findings.list().iter().for_each(|finding| text += &format!("\n{finding}"));
        text
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let tally = &self.tally;
        let row = |what: &str, count: u64| {
            let percent = count as f64 * 100.0 / tally.files.max(1) as f64;
            vec![what.to_owned(), count.to_string(), format!("{percent:.1} %")]
        };
        let mut rows = vec![["what came of them", "files", ""].map(str::to_owned).to_vec()];
        rows.extend(tally.outcomes.iter().map(|(outcome, count)| row(told(*outcome), *count)));
        rows.extend(tally.wrong.iter().map(|(what, count)| row(&format!("WRONG: {what}"), *count)));
        rows.push(row("all", tally.files));
        rows.push(row("of these past SQLite's header and schema", tally.past_schema));
        rows.push(row("served with bytes of rows that were struck", tally.struck_rows));
        rows
    }
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Served => "served whole",
        Outcome::ServedInPart => "served, with errors at some sectors",
        Outcome::NotADisk => "refused: no disk",
        Outcome::Corrupt => "refused: corrupt",
        Outcome::TooNew => "refused: too new",
    }
}
