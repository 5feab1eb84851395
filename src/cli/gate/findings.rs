//! What a run has found: each kind of divergence once, shrunk, and written down at once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use disklayer_sqlite::harness::{Divergence, Signature, World, minimize, prove};
use disklayer_sqlite::script::Suite;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

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
    found: Mutex<Vec<(Signature, Finding)>>,
}

impl Findings {
    pub(super) fn new(dir: PathBuf, by: String, options: String) -> Self {
        Self { dir, by, known: HashSet::new(), most: MOST, options, found: Mutex::default() }
    }

    /// The same, without an end, and only counting what is known.
    pub(super) fn knowing(self, known: HashSet<String>) -> Self {
        Self { known, most: usize::MAX, ..self }
    }

    pub(super) fn are_enough(&self) -> bool {
        self.found().len() >= self.most
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
