//! `gate --deep`: processes that are killed while they work on a real file (rule 17).

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::harness::kills::{Deaths, Life, Series};
use disklayer_sqlite::layer::Format;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::super::interrupt;
use super::super::place::Place;
use super::super::plant::Plant;
use super::findings::MOST;

/// So many are killed by `--deep`.
pub(super) const DEEP: u64 = 3000;
/// So many one after another on the same file.
const SERIES: u64 = 60;
/// Fewer need not meet everything.
const DEMANDS_FROM: u64 = 1000;

/// What was killed, and what was found; a part of the JSON.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kills {
    pub(super) kills: u64,
    /// Inside of an operation.
    pub(super) midway: u64,
    /// While the file was opened.
    pub(super) opening: u64,
    /// States in which the layers might be, all together.
    pub(super) states_permitted: u64,
    /// How often the last operations were gone, as they may be.
    pub(super) shortened: u64,
    /// Each file that was not as it may be, in words.
    pub(super) findings: Vec<String>,
}

/// Where the children come from and what they leave is kept.
pub(super) struct Hunt<'a> {
    pub(super) place: &'a Place,
    pub(super) failures: &'a Path,
    pub(super) seed: u64,
    pub(super) plant: Plant,
    /// The command that kills as many again.
    pub(super) again: String,
}

impl Kills {
    /// What was not met and must be, in a sentence each: a kill that only ever hits a process at rest tests nothing.
    pub(super) fn unmet(&self) -> Vec<String> {
        let met = [
            ("inside of an operation", self.midway),
            ("while it opened the file", self.opening),
            ("so that its last operations were gone", self.shortened),
        ];
        let never = met.iter().filter(|(_, times)| self.kills >= DEMANDS_FROM && *times == 0);
        never.map(|(how, _)| format!("no process was killed {how}")).collect()
    }
}

impl Hunt<'_> {
    pub(super) fn run(&self, kills: u64, jobs: usize) -> Result<Kills> {
        let home = self.place.directory()?;
        let program = std::env::current_exe().map_err(|e| Error::from_io("looking for this program", e))?;
        let (next, all) = (AtomicU64::new(0), Mutex::new((Deaths::default(), Vec::new())));
        let bar = ProgressBar::new(kills);
        std::thread::scope(|scope| {
            let work = || {
                loop {
                    let first = next.fetch_add(SERIES, Relaxed);
                    let enough = || all.lock().unwrap_or_else(PoisonError::into_inner).1.len() >= MOST;
                    if first >= kills || interrupt::requested() || enough() {
                        return Ok(());
                    }
                    let lives = first..kills.min(first + SERIES);
                    let place = home.path().join(format!("{first}.dbhd"));
                    let mut deaths = Deaths::default();
                    let found = self.series(&program, &place, lives, &mut deaths, &bar)?;
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.0.add(&deaths);
                    all.1.extend(found);
                }
            };
            let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(super::broken)?)
        })?;
        bar.finish_and_clear();
        let (deaths, findings) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Kills {
            kills: deaths.kills,
            midway: deaths.midway,
            opening: deaths.opening,
            states_permitted: deaths.permitted,
            shortened: deaths.shortened,
            findings,
        })
    }

    /// What was found on one file, which ends its series.
    fn series(
        &self,
        program: &Path,
        place: &Path,
        lives: Range<u64>,
        deaths: &mut Deaths,
        bar: &ProgressBar,
    ) -> Result<Option<String>> {
        // One series in each format, and so on.
        let format = if (lives.start / SERIES).is_multiple_of(2) { Format::default() } else { Format::Original };
        let mut series = Series::new(place, format)?;
        for number in lives {
            if interrupt::requested() {
                break;
            }
            let life = Life { seed: self.seed, number };
            let mut child = Command::new(program);
            child.arg("live").arg(place).args([self.seed, number].map(|number| number.to_string()));
            child.args(self.plant.option().split_whitespace());
            if let Err(wrong) = series.kill_one(life, child, deaths) {
                return Ok(Some(format!("{wrong}\n{}", self.kept(&series, life))));
            }
            bar.inc(1);
        }
        Ok(None)
    }

    /// Keeps what the child left, and says where.
    fn kept(&self, series: &Series, life: Life) -> String {
        let to: PathBuf = self.failures.join(format!("killed-{}-{}", life.seed, life.number));
        let copied = std::fs::create_dir_all(&to).and_then(|()| {
            series.left().iter().filter(|file| file.exists()).try_for_each(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy().replace(".left", ".dbhd");
                std::fs::copy(file, to.join(name)).map(drop)
            })
        });
        match copied {
            Ok(()) => format!("what it left is in {}; `{}` kills again", to.display(), self.again),
            Err(error) => format!("what it left could not be kept in {}: {error}", to.display()),
        }
    }
}
