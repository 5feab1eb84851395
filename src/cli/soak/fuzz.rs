//! Lanes of the fuzz targets: libFuzzer, a slice at a time, on a corpus that is kept.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::target::Target;

use super::Board;
use super::child::{End, Otherwise, Watched, watch_or};
use super::lane::{Came, Fuzzed, Lane};
use crate::cli::{interrupt, note};

mod artifact;

/// A corpus is read before anything is tried, so a slice is longer than one of a suite.
const LONGER: u32 = 4;
/// What a fuzzer may take beyond its time.
const GRACE: Duration = Duration::from_secs(30);

/// The binaries of the fuzz targets.
pub(super) struct Fuzzers(Vec<(Target, PathBuf)>);

impl Fuzzers {
    /// Nobody.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// That there is a workspace in `dir`, and `cargo fuzz`.
    pub(super) fn can_be_built(dir: &Path) -> Result<()> {
        let there = || Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|ran| ran.status.success());
        let what = match dir.join("Cargo.toml").is_file() {
            false => format!("{} is no workspace of fuzz targets, for it has no Cargo.toml", dir.display()),
            true if !there() => "the fuzz targets are built with `cargo fuzz`, which does not run".to_owned(),
            true => return Ok(()),
        };
        Err(Error::new(ErrorKind::NotFound, format!("{what}; --no-fuzz leaves them alone")))
    }

    /// Those of the workspace in `dir`, built anew.
    pub(super) fn build(dir: &Path) -> Result<Self> {
        note("building the fuzz targets");
        let mut build = Command::new("cargo");
        build.args(["fuzz", "build", "--sanitizer", "none", "--release", "--fuzz-dir"]).arg(dir);
        let built = build.output().map_err(|e| Error::from_io("running cargo fuzz build", e))?;
        if !built.status.success() {
            let what = format!("the fuzz targets do not build\n{}", String::from_utf8_lossy(&built.stderr).trim());
            return Err(Error::new(ErrorKind::Failed, what));
        }
        Ok(Self(Target::ALL.into_iter().filter_map(|target| Some((target, binary(dir, target)?))).collect()))
    }

    /// The lanes that there are.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.0.iter().map(|(target, _)| Lane::fuzz(target.name()))
    }

    fn find(&self, name: &str) -> Result<&(Target, PathBuf)> {
        let found = self.0.iter().find(|(target, _)| target.name() == name);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no fuzz target {name}")))
    }
}

/// The binary of a target, in the directory of whatever system it was built for.
fn binary(dir: &Path, target: Target) -> Option<PathBuf> {
    let systems = std::fs::read_dir(dir.join("target")).ok()?;
    let places = systems.filter_map(|system| Some(system.ok()?.path().join("release").join(target.name())));
    places.into_iter().find(|place| place.is_file())
}

impl Board<'_> {
    /// Lets a fuzzer run for about `time`.
    pub(super) fn fuzz(&self, name: &str, job: usize, time: Duration) -> Result<Came> {
        let (target, program) = self.fuzzers.find(name)?;
        let (home, seeds) = (self.dir.path("fuzz").join(name), self.seeds.join(name));
        let (corpus, artifacts) = (home.join("corpus"), home.join("artifacts"));
        for dir in [&corpus, &artifacts, &home.join("told")] {
            std::fs::create_dir_all(dir).map_err(|e| Error::from_io(format!("making {}", dir.display()), e))?;
        }
        let seconds = (time * LONGER).min(self.left()).as_secs().max(1);
        let mut command = Command::new(program);
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-timeout={}", self.hang.as_secs().max(1)));
        command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(&corpus);
        command.env("TMPDIR", &self.work).args(seeds.is_dir().then_some(seeds));
        let limit = Duration::from_secs(seconds) + self.hang + GRACE;
        let watched = watch_or(command, &|| 0, limit, Otherwise::Kill)?;
        let fuzzed = fuzzed(&watched.err, Duration::from_secs(seconds));
        match (untold(&artifacts), watched) {
            (Some(artifact), watched) => {
                let told = home.join("told").join(artifact.file_name().unwrap_or_default());
                let finding = self.artifact(*target, &artifact, &told, job, &watched)?;
                Ok(Came::Fuzzed(fuzzed, Some(Box::new(finding))))
            }
            (None, Watched { end: End::Died(_, how), err, .. }) if !interrupt::requested() => {
                let last: Vec<_> = err.lines().rev().take(8).collect();
                let last: Vec<_> = last.into_iter().rev().collect();
                let what = format!("the fuzz target {name} ended ({how}) and left no artifact\n{}", last.join("\n"));
                Err(Error::new(ErrorKind::Failed, what))
            }
            (None, _) => Ok(Came::Fuzzed(fuzzed, None)),
        }
    }
}

/// An artifact that nobody has told of yet, of this run or of one that was killed. A slow input is no mistake.
fn untold(dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|file| file.file_name().is_some_and(|name| !name.to_string_lossy().starts_with("slow-unit-")))
}

/// What a fuzzer says of itself: `#4096 NEW cov: 812 ft: 2790 corp: …`.
fn fuzzed(said: &str, time: Duration) -> Fuzzed {
    let mut fuzzed = Fuzzed { executions: 0, coverage: 0, features: 0, seconds: time.as_secs_f64() };
    for line in said.lines() {
        let Some(rest) = line.strip_prefix('#') else { continue };
        let mut words = rest.split_whitespace();
        let Some(executions) = words.next().and_then(|word| word.parse().ok()) else { continue };
        fuzzed.executions = executions;
        let words: Vec<&str> = words.collect();
        let number = |name: &str| words.windows(2).find(|pair| pair[0] == name).and_then(|pair| pair[1].parse().ok());
        fuzzed.coverage = number("cov:").unwrap_or(fuzzed.coverage);
        fuzzed.features = number("ft:").unwrap_or(fuzzed.features);
    }
    fuzzed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fuzzer_says_is_read() {
        let said = "INFO: Seed: 1\n#2\tINITED cov: 812 ft: 813 corp: 1/1b exec/s: 0 rss: 34Mb\n\
                    #4096\tNEW    cov: 900 ft: 2790 corp: 17/80b lim: 8 exec/s: 0 rss: 36Mb\n\
                    #65536\tDONE   cov: 901 ft: 2801 corp: 19/90b lim: 8 exec/s: 3000 rss: 40Mb\n\
                    Done 65536 runs in 21 second(s)\n";
        let Fuzzed { executions, coverage, features, .. } = fuzzed(said, Duration::from_secs(21));
        assert_eq!((executions, coverage, features), (65536, 901, 2801));
        assert_eq!(fuzzed("", Duration::ZERO).executions, 0);
    }
}
