//! What a run has found: each kind of divergence once, shrunk, and written down at once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{Difference, Divergence, Signature, World, minimize, prove};
use disklayer_sqlite::script::{Outcome, Suite};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::super::place::Place;
use super::super::scripts::{DIFFERS, Saved};
use super::super::{interrupt, shell};
use super::progress::Progress;

/// After so many kinds of divergence a run stops.
pub(super) const MOST: usize = 10;

/// The divergences of one kind.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Finding {
    /// The kind, in a few words.
    pub(in super::super) name: String,
    /// What differs: two divergences that say the same here are one.
    pub(in super::super) differs: String,
    /// The suite of the script that it was first found with.
    pub(in super::super) suite: String,
    /// The number of that script.
    pub(in super::super) case: u64,
    /// How often it was met.
    pub(in super::super) times: u64,
    /// What happened in the shrunk script.
    pub(in super::super) story: String,
    /// The shrunk script.
    pub(in super::super) script: String,
    /// Where it was written, unless that failed.
    pub(in super::super) file: Option<String>,
    /// The command that replays it, or why there is no file.
    pub(in super::super) replay: String,
}

/// Divergences by kind, in the order in which the kinds were met.
pub(super) struct Findings {
    dir: PathBuf,
    /// Who finds.
    by: String,
    /// What differs in findings that are known, and need not be told again.
    known: HashSet<String>,
    most: usize,
    /// What the line that replays needs beside the file.
    options: String,
    /// Where the layers' files go.
    place: Place,
    /// That it is full, if that was met.
    full: OnceLock<Error>,
    found: Mutex<Vec<(Signature, Finding)>>,
}

impl Findings {
    pub(super) fn new(dir: PathBuf, by: String, options: String, place: Place) -> Self {
        let (known, full, found) = (HashSet::new(), OnceLock::new(), Mutex::default());
        Self { dir, by, known, most: MOST, options, place, full, found }
    }

    /// The same, without an end, and only counting what is known.
    pub(super) fn knowing(self, known: HashSet<String>) -> Self {
        Self { known, most: usize::MAX, ..self }
    }

    pub(super) fn are_enough(&self) -> bool {
        self.found().len() >= self.most
    }

    /// Whether nothing more is to be looked for.
    pub(super) fn are_over(&self) -> bool {
        self.are_enough() || self.full.get().is_some()
    }

    /// Whether `divergence` is none, since it is the place that is full; nothing after it would be one.
    pub(super) fn lack_room(&self, divergence: &Divergence) -> bool {
        let Difference::Outcome { actual: Outcome::Refused { kind: ErrorKind::NoSpace, .. }, .. } =
            divergence.difference
        else {
            return false;
        };
        let is_full = || self.place.full().map(|error| self.full.get_or_init(|| error)).is_some();
        let planned = divergence.script.lines.iter().any(|line| line.strike.is_some());
        !planned && (self.full.get().is_some() || is_full())
    }

    /// That the place is full, if that was met, and where the findings are that were made before. One that could not be
    /// written stands in the report alone, which is not given up then.
    pub(super) fn need_room(&mut self) -> Result<()> {
        let Some(full) = self.full.take() else { return Ok(()) };
        let is_lost = |finding: &Finding| finding.file.is_none() && !self.known.contains(&finding.differs);
        match self.found() {
            found if found.is_empty() => Err(full),
            found if found.iter().any(|(_, finding)| is_lost(finding)) => Ok(()),
            _ => Err(full.in_context(format!("what was found is in {}, and the run has ended", self.dir.display()))),
        }
    }

    pub(super) fn list(self) -> Vec<Finding> {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().map(|(_, finding)| finding).collect()
    }

    /// Shrinks and writes down what is new, counts what is not.
    pub(super) fn meet(
        &self,
        case: u64,
        suite: Suite,
        divergence: Box<Divergence>,
        world: &mut World,
        progress: &Progress,
    ) {
        let signature = divergence.signature();
        {
            let mut found = self.found();
            if let Some((_, finding)) = found.iter_mut().find(|(known, _)| *known == signature) {
                finding.times += 1;
                return;
            }
            // Taken before it is shrunk, or every thread would shrink one.
            found.push((signature, Finding::new(case, suite, &divergence)));
        }
        if self.known.contains(&signature.to_string()) {
            return;
        }
        let shrunk = minimize(divergence, &mut |script| match interrupt::requested() {
            true => Ok(()),
            false => {
                progress.beats();
                prove(script, world).map(drop)
            }
        });
        let finding = self.written(Finding::new(case, suite, &shrunk));
        if let Some((_, place)) = self.found().iter_mut().find(|(known, _)| *known == signature) {
            *place = Finding { times: place.times, ..finding };
        }
    }

    fn written(&self, finding: Finding) -> Finding {
        let by = format!("{}, suite {}, script {}", self.by, finding.suite, finding.case);
        finding.written(&self.dir, &by, &self.options)
    }

    fn found(&self) -> MutexGuard<'_, Vec<(Signature, Finding)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finding {
    /// What was found in script `case` of a suite, met once.
    pub(in super::super) fn new(case: u64, suite: Suite, divergence: &Divergence) -> Self {
        Self::of(super::report::name(suite).to_owned(), case, divergence)
    }

    /// The same, of whoever found it.
    pub(in super::super) fn of(suite: String, case: u64, divergence: &Divergence) -> Self {
        Self {
            name: divergence.signature().slug(),
            differs: divergence.signature().to_string(),
            suite,
            case,
            times: 1,
            story: divergence.story(),
            script: divergence.script.to_string(),
            file: None,
            replay: String::new(),
        }
    }

    /// What a file says that [`Finding::written`] has written.
    pub(in super::super) fn saved(saved: &Saved) -> Option<Self> {
        let differs = saved.story.iter().find_map(|line| line.strip_prefix(DIFFERS))?.to_owned();
        let by = saved.story.iter().find_map(|line| line.strip_prefix("found by "))?;
        let words = |from: &str| by.split_once(from).map(|(_, rest)| rest.split(',').next().unwrap_or(rest).to_owned());
        let told = saved.story.iter().filter(|line| !line.starts_with(DIFFERS) && !line.starts_with("found by "));
        Some(Self {
            name: differs.split(',').next().unwrap_or_default().to_owned(),
            differs,
            suite: words(", suite ").unwrap_or_default(),
            case: words(", script ").and_then(|case| case.parse().ok()).unwrap_or(0),
            times: 1,
            story: told.cloned().collect::<Vec<_>>().join("\n"),
            script: saved.script.to_string(),
            file: Some(saved.name.clone()),
            replay: format!("disklayer replay {}", shell(&saved.name)),
        })
    }

    /// The same, with its script in a file of `dir`, where it is whole or not at all.
    pub(in super::super) fn written(mut self, dir: &Path, by: &str, options: &str) -> Self {
        let Self { name, differs, story, script, .. } = &self;
        let text = format!("found by {by}\n{DIFFERS}{differs}\n{story}");
        let head: String = text.lines().map(|line| format!("# {line}\n")).collect();
        let hash = XxHash3_64::oneshot(script.as_bytes()) as u32;
        let path = dir.join(format!("{name}-{hash:08x}.script"));
        let half = dir.join(format!("{name}-{hash:08x}.{}", std::process::id()));
        let written = std::fs::create_dir_all(dir)
            .and_then(|()| std::fs::write(&half, head + script))
            .and_then(|()| std::fs::rename(&half, &path));
        let path = path.display().to_string();
        match written {
            Ok(()) => {
                self.replay = format!("disklayer replay {}{options}", shell(&path));
                self.file = Some(path);
            }
            Err(error) => self.replay = format!("the script could not be written to {path}: {error}"),
        }
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use disklayer_sqlite::harness::Death;

    use super::*;

    #[test]
    fn a_layer_that_sees_no_space_where_there_is_some_is_a_finding() {
        let refused = |layer| Outcome::Refused { kind: ErrorKind::NoSpace, layer };
        let script = "disk 512\nlayer ram 8\nflush\n".parse().unwrap();
        let mut divergence = Divergence::died(script, Death::Crashed, String::new());
        let findings = || Findings::new(PathBuf::new(), String::new(), String::new(), Place::default());
        divergence.difference =
            Difference::Outcome { expected: Outcome::Done, actual: refused(Some(0)), message: None };
        assert!(!findings().lack_room(&divergence));
    }
}
