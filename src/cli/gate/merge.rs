//! `disklayer merge`: the reports of shards, joined into the one that a run of everything would have written.
//!
//! What must be met is judged on the sum. A shard that is missing is a hole in the run, and fails it.

use std::path::{Path, PathBuf};

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};

use super::super::{Verdict, inputs, outputs};
use super::plan::Shard;
use super::report::Report;
use super::{Output, tell};

/// Join the JSON reports of the shards of one gate
#[derive(Args)]
pub(in super::super) struct Merge {
    /// What `gate --shard I/N --json FILE` has written, for each I
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Write the result for a CI system
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the whole report
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Merge {
    pub(in super::super) fn execute(self) -> Result<Verdict> {
        outputs::apart(self.junit.iter().chain(&self.json), self.reports.iter().map(PathBuf::as_path))?;
        let parts = self.reports.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
        let junit = self.junit.as_deref().map(Output::create).transpose()?;
        let json = self.json.as_deref().map(Output::create).transpose()?;
        tell(&joined(parts)?, junit, json)
    }
}

/// A report, with the name of its file.
type Part<'a> = (&'a Path, Report);

fn read(path: &Path) -> Result<Part<'_>> {
    let name = path.display();
    let text = inputs::text(path, "a report")?;
    let what = format!("{name} is not a report that this version of `disklayer gate --json` has written");
    let report: Report =
        serde_json::from_str(&text).map_err(|e| Error::new(ErrorKind::Syntax, what.clone()).because(e))?;
    match report.shard.is_none_or(Shard::is_one) {
        true => Ok((path, report)),
        false => Err(Error::new(ErrorKind::Syntax, what)),
    }
}

fn joined(mut parts: Vec<Part<'_>>) -> Result<Report> {
    parts.sort_by_key(|(_, report)| report.shard.map(|shard| shard.number));
    parts.windows(2).try_for_each(|pair| fit(&pair[0], &pair[1]))?;
    let missing = missing(&parts);
    let jobs = parts.iter().map(|(_, report)| report.jobs).sum();
    let seconds = parts.iter().map(|(_, report)| report.seconds).fold(0.0, f64::max);
    let sum = parts.into_iter().map(|(_, report)| report).reduce(|mut sum, part| {
        sum.add(part);
        sum
    });
    let Some(sum) = sum else { unreachable!("one report at least is demanded") };
    let mut sum = Report { shard: None, jobs, seconds, ..sum };
    sum.judge();
    sum.lack(missing);
    Ok(sum)
}

/// That two reports are parts of the same run, and not the same part.
fn fit((one, a): &Part<'_>, (other, b): &Part<'_>) -> Result<()> {
    let run = |report: &Report| {
        let Report { seed, base_sectors, scripts_of_all, states, .. } = *report;
        (seed, base_sectors, scripts_of_all, states, report.only.clone(), report.shard.map(|shard| shard.of))
    };
    let (one, other) = (one.display(), other.display());
    let refuse = |what: String| Err(Error::new(ErrorKind::Unsupported, what));
    match () {
        () if run(a) != run(b) => refuse(format!(
            "{one} and {other} are not of the same run: seed, suites, base, states, and the number of scripts and of shards must be equal"
        )),
        () if a.shard == b.shard => refuse(format!("{one} and {other} are reports of the same scripts")),
        () => Ok(()),
    }
}

/// The shards without a report, each in a sentence.
fn missing(parts: &[Part<'_>]) -> Vec<String> {
    let shards: Vec<_> = parts.iter().filter_map(|(_, report)| report.shard).collect();
    let of = shards.first().map_or(0, |shard| shard.of);
    let absent = (1..=of).filter(|number| shards.iter().all(|shard| shard.number != *number));
    absent.map(|number| format!("there is no report of shard {number}/{of}")).collect()
}
