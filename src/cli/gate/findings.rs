//! What a run has found: each kind of divergence once, shrunk, and written down at once.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use disklayer_sqlite::harness::{Divergence, Signature, World, minimize, prove};
use disklayer_sqlite::script::Suite;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::super::scripts::DIFFERS;
use super::super::{interrupt, shell};

/// After so many kinds of divergence a run stops.
pub(super) const MOST: usize = 10;

/// The divergences of one kind.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Finding {
    /// The kind, in a few words.
    pub(super) name: String,
    /// What differs: two divergences that say the same here are one.
    pub(super) differs: String,
    /// The suite of the script that it was first found with.
    pub(super) suite: String,
    /// The number of that script.
    pub(super) case: u64,
    /// How often it was met.
    pub(super) times: u64,
    /// What happened in the shrunk script.
    pub(super) story: String,
    /// The shrunk script.
    pub(super) script: String,
    /// Where it was written, unless that failed.
    pub(super) file: Option<String>,
    /// The command that replays it, or why there is no file.
    pub(super) replay: String,
}

/// Divergences by kind, in the order in which the kinds were met.
pub(super) struct Findings {
    dir: PathBuf,
    seed: u64,
    /// What the line that replays needs beside the file.
    options: String,
    found: Mutex<Vec<(Signature, Finding)>>,
}

impl Findings {
    pub(super) fn new(dir: PathBuf, seed: u64, options: String) -> Self {
        Self { dir, seed, options, found: Mutex::default() }
    }

    pub(super) fn are_enough(&self) -> bool {
        self.found().len() >= MOST
    }

    pub(super) fn list(self) -> Vec<Finding> {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().map(|(_, finding)| finding).collect()
    }

    /// Shrinks and writes down what is new, counts what is not.
    pub(super) fn meet(&self, case: u64, suite: Suite, divergence: Box<Divergence>, world: &mut World) {
        let signature = divergence.signature();
        {
            let mut found = self.found();
            if let Some((_, finding)) = found.iter_mut().find(|(known, _)| *known == signature) {
                finding.times += 1;
                return;
            }
            // Taken before it is shrunk, or every thread would shrink one.
            found.push((signature, self.finding(case, suite, &divergence)));
        }
        let shrunk = minimize(divergence, &mut |script| match interrupt::requested() {
            true => Ok(()),
            false => prove(script, world).map(drop),
        });
        let finding = self.written(self.finding(case, suite, &shrunk));
        if let Some((_, place)) = self.found().iter_mut().find(|(known, _)| *known == signature) {
            *place = Finding { times: place.times, ..finding };
        }
    }

    fn finding(&self, case: u64, suite: Suite, divergence: &Divergence) -> Finding {
        Finding {
            name: divergence.signature().slug(),
            differs: divergence.signature().to_string(),
            suite: super::report::name(suite).to_owned(),
            case,
            times: 1,
            story: divergence.story(),
            script: divergence.script.to_string(),
            file: None,
            replay: String::new(),
        }
    }

    fn written(&self, mut finding: Finding) -> Finding {
        let Finding { name, differs, suite, case, story, script, .. } = &finding;
        let text = format!(
            "found by `disklayer gate --seed {}`, suite {suite}, script {case}\n{DIFFERS}{differs}\n{story}",
            self.seed
        );
        let head: String = text.lines().map(|line| format!("# {line}\n")).collect();
        let hash = XxHash3_64::oneshot(script.as_bytes()) as u32;
        let path = self.dir.join(format!("{name}-{hash:08x}.script"));
        let written = std::fs::create_dir_all(&self.dir).and_then(|()| std::fs::write(&path, head + script));
        let path = path.display().to_string();
        match written {
            Ok(()) => {
                finding.replay = format!("disklayer replay {}{}", shell(&path), self.options);
                finding.file = Some(path);
            }
            Err(error) => finding.replay = format!("the script could not be written to {path}: {error}"),
        }
        finding
    }

    fn found(&self) -> MutexGuard<'_, Vec<(Signature, Finding)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
