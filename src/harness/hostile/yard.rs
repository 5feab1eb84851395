//! Where sound files are made, damaged, and laid out to be opened.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::damage::{Damage, Files};
use super::expect::Expected;
use super::finding::Finding;
use super::image::Image;
use super::judge::{Judged, Trial};
use super::original::{Original, Recipe};
use super::text::Case;
use crate::error::{Error, Result};
use crate::harness::Scratch;
use crate::harness::world::temporary;
use crate::layer::{Effect, Options};

/// A directory with sound files to damage, and a place to put what they became.
pub struct Yard {
    dir: Scratch,
    sound: HashMap<Recipe, Arc<Original>>,
    pub(super) options: Options,
}

impl Yard {
    /// A yard in a new directory where temporary files are quick.
    ///
    /// # Errors
    ///
    /// Those of making a directory.
    pub fn new() -> Result<Self> {
        let dir = Scratch::new(&temporary())?;
        Ok(Self { dir, sound: HashMap::new(), options: Options::default() })
    }

    /// Does to a sound file what `case` says, and judges what `open` makes of it. `clock` says what time it is.
    ///
    /// # Errors
    ///
    /// What is wrong with the layer.
    ///
    /// # Panics
    ///
    /// When the yard itself cannot be used: its directory is gone, or the judge reads a sound file wrongly.
    pub fn judge(&mut self, case: &Case, clock: &dyn Fn() -> Duration) -> Result<Judged, Box<Finding>> {
        let original = self.original(case.recipe).unwrap_or_else(|e| panic!("making {}: {e}", case.recipe));
        let prepared = self.prepare(case, &original).unwrap_or_else(|e| panic!("{case}: {e}"));
        let mut trial =
            Trial { yard: self, prepared: &prepared, original: &original, clock, slowest: Duration::ZERO, sectors: 0 };
        trial.run().map_err(|(mode, wrong)| Box::new(Finding { case: case.clone(), mode, wrong }))
    }

    fn original(&mut self, recipe: Recipe) -> Result<Arc<Original>> {
        if let Some(original) = self.sound.get(&recipe) {
            return Ok(original.clone());
        }
        self.remove();
        let original = Arc::new(Original::make(recipe, &self.path(""))?);
        self.remove();
        self.sound.insert(recipe, original.clone());
        Ok(original)
    }

    pub(super) fn path(&self, suffix: &str) -> PathBuf {
        self.dir.path().join(format!("layer.dbhd{suffix}"))
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(self.path(suffix));
        }
    }

    /// Puts the files of a case in their place.
    pub(super) fn put(&self, files: &Files) -> Result<()> {
        self.remove();
        for (suffix, bytes) in [("", &files.file), ("-wal", &files.log), ("-journal", &files.journal)] {
            if suffix.is_empty() || !bytes.is_empty() {
                let written = std::fs::write(self.path(suffix), bytes);
                written.map_err(|e| Error::from_io("writing a hostile file", e))?;
            }
        }
        Ok(())
    }

    /// The files as they are now; one that is missing is as good as an empty one.
    pub(super) fn files(&self) -> Files {
        let read = |suffix| std::fs::read(self.path(suffix)).unwrap_or_default();
        Files { file: read(""), log: read("-wal"), journal: read("-journal") }
    }

    fn prepare(&self, case: &Case, original: &Original) -> Result<Prepared> {
        let mut files = Files { file: original.file.clone(), log: original.log.clone(), journal: Vec::new() };
        let mut effect = None;
        for damage in &case.damages {
            damage.strike(&mut files, &original.file, case.recipe.page_size as usize);
            if let Damage::Attack { attack, reached } = damage {
                self.put(&files)?;
                // What SQLite itself cannot do to a damaged file is left undone.
                if attack.strike(&self.path(""), *reached).is_ok() {
                    effect = Some(attack.effect());
                }
                files = self.files();
            }
        }
        self.put(&files)?;
        let is_only_attacked = case.damages.len() == 1;
        let image = match files.journal.is_empty() {
            true => Image::new(&files.file, &files.log),
            false => Image::rolled_back(&files.file, &files.journal),
        };
        Ok(Prepared {
            expected: expected(original, &image, effect),
            effect: effect.filter(|_| is_only_attacked),
            needs_writer: image.is_torn || !files.journal.is_empty(),
            files,
        })
    }
}

/// What the files of a case may show.
fn expected(original: &Original, image: &Image, effect: Option<Effect>) -> Expected {
    let last = original.states.len() - 1;
    match effect {
        None => Expected::new(&original.states[image.commits.min(last)], &image.bytes),
        Some(_) => Expected::exactly(&original.states[last]),
    }
}

/// A hostile file in its place, and what it may show.
pub(super) struct Prepared {
    pub(super) files: Files,
    pub(super) expected: Expected,
    /// What must come of it, if that is known.
    pub(super) effect: Option<Effect>,
    /// Whether a reader may only be told to open it for writing.
    pub(super) needs_writer: bool,
}
