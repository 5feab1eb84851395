//! What a run has found: each kind of wrong once, shrunk, and written down at once.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use disklayer_sqlite::harness::hostile::{Finding, Yard};
use twox_hash::XxHash3_64;

use super::super::{interrupt, shell};

/// After so many kinds of wrong a run stops.
pub(super) const MOST: usize = 5;

pub(super) struct Findings {
    dir: PathBuf,
    seed: u64,
    /// What the line that replays needs beside the file.
    options: String,
    /// The kind, and its text once it is shrunk.
    found: Mutex<Vec<(&'static str, String)>>,
}

impl Findings {
    pub(super) fn new(dir: PathBuf, seed: u64, options: String) -> Self {
        Self { dir, seed, options, found: Mutex::default() }
    }

    pub(super) fn are_enough(&self) -> bool {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).len() >= MOST
    }

    /// The texts of what was found.
    pub(super) fn list(&self) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().map(|(_, text)| text.clone()).collect()
    }

    /// Shrinks and writes down what is new.
    pub(super) fn meet(&self, number: u64, found: Box<Finding>, yard: &mut Yard) {
        let slug = found.wrong.slug();
        {
            let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if known.iter().any(|(known, _)| *known == slug) {
                return;
            }
            // Taken before it is shrunk, or every thread would shrink one.
            known.push((slug, format!("{slug}: file {number}\n{found}")));
        }
        let start = Instant::now();
        let shrunk = found.minimize(&mut |case| match interrupt::requested() {
            true => None,
            false => yard.judge(case, &|| start.elapsed()).err(),
        });
        let text = format!("{slug}: file {number}\n{shrunk}  {}\n", self.written(slug, number, &shrunk));
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter_mut().filter(|(known, _)| *known == slug).for_each(|(_, place)| place.clone_from(&text));
    }

    /// The line that replays, or why there is none.
    fn written(&self, slug: &str, number: u64, shrunk: &Finding) -> String {
        let text = format!("# found by `disklayer hostile --seed {}`, file {number}\n{shrunk}", self.seed);
        let hash = XxHash3_64::oneshot(shrunk.case.to_string().as_bytes()) as u32;
        let path = self.dir.join(format!("hostile-{slug}-{hash:08x}.case"));
        let written = std::fs::create_dir_all(&self.dir).and_then(|()| std::fs::write(&path, text));
        let path = path.display().to_string();
        match written {
            Ok(()) => format!("disklayer hostile --case {}{}", shell(&path), self.options),
            Err(error) => format!("the case could not be written to {path}: {error}"),
        }
    }
}
