//! A few seconds of a suite, in a process of its own: what `disklayer soak` is made of.
//!
//! The scripts of a suite follow one another from a number on; the report says how many were done. What is known already
//! is counted and not shrunk again. It comes to its end, too, when stdin does: nobody is waiting for it any more.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use disklayer_sqlite::error::Result;
use disklayer_sqlite::script::{Script, Suite};

use super::super::plant::Plant;
use super::super::scripts::{self, DIFFERS};
use super::super::{Verdict, interrupt, quietly};
use super::findings::Findings;
use super::mark::Mark;
use super::plan::{Extent, Plan};
use super::progress::Progress;
use super::report::{End, Report};
use super::tally::Tallies;
use super::{STATES, suite, worker};
use crate::cli::place::Place;

/// Run a suite for a moment; `soak` starts this
#[derive(Args)]
pub(in super::super) struct Slice {
    #[arg(long)]
    seed: u64,
    #[arg(long, value_parser = suite)]
    suite: Suite,
    /// The number of the first script
    #[arg(long)]
    from: u64,
    #[arg(long, value_parser = humantime::parse_duration)]
    time: Duration,
    /// Where to say what is under way
    #[arg(long)]
    mark: PathBuf,
    #[arg(long)]
    findings: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Slice {
    pub(in super::super) fn execute(self, plant: Plant) -> Result<Verdict> {
        interrupt::when_stdin_ends(interrupt::request);
        let start = Instant::now();
        let plan = plan(self.seed, self.suite, start + self.time).from(self.from);
        let mut world = self.place.world()?;
        let by = format!("`disklayer soak --seed {}`", self.seed);
        let findings = Findings::new(self.findings.clone(), by, plant.option(), self.place.clone());
        let mut findings = findings.knowing(known(&self.findings));
        let progress = Progress::new(&plan).marking(Mark::create(&self.mark)?);
        let tallies: Tallies = quietly(|| worker::work(&plan, &mut world, &findings, &progress));
        findings.need_room()?;
        let end = if interrupt::requested() { End::Interrupted } else { End::Whole };
        let report = Report::new(&plan, 1, start.elapsed(), &tallies, (findings.list(), None), end);
        super::super::print(&report.json()?)?;
        Ok(report.verdict.into())
    }

    /// Script `case` of a suite.
    pub(in super::super) fn script(seed: u64, suite: Suite, case: u64) -> Script {
        plan(seed, suite, Instant::now()).script(case)
    }
}

fn plan(seed: u64, suite: Suite, end: Instant) -> Plan {
    Plan::new(seed, Extent::Until(end), None, vec![suite]).with(None, STATES)
}

/// What differs in the findings that are there.
fn known(findings: &Path) -> HashSet<String> {
    let saved = scripts::load(std::slice::from_ref(&findings.to_owned())).unwrap_or_default();
    saved
        .iter()
        .flat_map(|saved| saved.story.iter().filter_map(|line| line.strip_prefix(DIFFERS)))
        .map(str::to_owned)
        .collect()
}
