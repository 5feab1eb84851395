//! A file of which nothing is known but its bytes: whatever it is, `open` serves it or refuses it, and does no harm.

use std::time::Duration;

use super::damage::Files;
use super::finding::Wrong;
use super::judge::{Outcome, PATIENCE, outcome};
use super::yard::Yard;
use crate::error::{Error, ErrorKind, Result};
use crate::harness::caught;
use crate::layer::{Below, Durability, LayerIo, Mode, SectorMarker, SqliteDiskLayer};

/// So many sectors are read, of any disk, and so many extents walked.
const MOST: u64 = 256;

impl Yard {
    /// Opens `file`, which is anybody's, to read and to write. `clock` says what time it is.
    ///
    /// # Errors
    ///
    /// What the layer did that it must not: it panicked, took long, changed what it refused or only read, called the
    /// damage by a wrong name, or told a reader something else than a writer.
    ///
    /// # Panics
    ///
    /// When the yard's directory is gone.
    pub fn judge_stranger(&mut self, file: &[u8], clock: &dyn Fn() -> Duration) -> Result<Outcome, (Mode, Wrong)> {
        let files = Files { file: file.to_owned(), ..Files::default() };
        self.put(&files).unwrap_or_else(|e| panic!("putting a file in its place: {e}"));
        let open = |mode| {
            let judged = caught(|| self.open_stranger(&files, mode, clock));
            judged.unwrap_or_else(|panic| Err(Wrong::Panic(panic))).map_err(|wrong| (mode, wrong))
        };
        let reader = open(Mode::ReadOnly)?;
        let writer = open(Mode::ReadWrite)?;
        match reader == writer {
            true => Ok(writer),
            false => Err((Mode::ReadOnly, Wrong::Disagreement { reader, writer })),
        }
    }

    fn open_stranger(&self, files: &Files, mode: Mode, clock: &dyn Fn() -> Duration) -> Result<Outcome, Wrong> {
        let begun = clock();
        let opened = SqliteDiskLayer::open(self.path(""), mode, &self.options);
        let took = clock().saturating_sub(begun);
        if took > PATIENCE {
            return Err(Wrong::Slow(took));
        }
        match opened {
            Ok(layer) => {
                let is_whole = look(&layer)?;
                if mode == Mode::ReadWrite {
                    use_it(&layer);
                } else {
                    drop(layer);
                    self.unchanged(files, "a reader changed it")?;
                }
                Ok(if is_whole { Outcome::Served } else { Outcome::ServedInPart })
            }
            Err(error) => {
                self.unchanged(files, &error.to_string())?;
                outcome(&error).ok_or_else(|| Wrong::Kind(error.to_string()))
            }
        }
    }

    fn unchanged(&self, files: &Files, why: &str) -> Result<(), Wrong> {
        match self.files() == *files {
            true => Ok(()),
            false => Err(Wrong::Changed(why.to_owned())),
        }
    }
}

/// Reads the sectors at both ends and walks the extents; whether none of it was an error.
fn look(layer: &SqliteDiskLayer) -> Result<bool, Wrong> {
    let geometry = layer.metadata().geometry;
    let count = geometry.sector_count();
    let mut buf = vec![0; geometry.sector_size() as usize];
    let mut is_whole = true;
    for sector in (0..count.min(MOST)).chain(count.saturating_sub(4).max(MOST)..count) {
        is_whole &= unless_damaged(layer.read(sector, &mut buf, &mut SectorMarker::new(sector..sector + 1)))?.is_some();
    }
    let mut at = 0;
    for _ in 0..MOST {
        match unless_damaged(layer.next_extent(at))? {
            Some(Some(extent)) if extent.start >= at && !extent.is_empty() && extent.end <= count => at = extent.end,
            Some(Some(extent)) => return Err(Wrong::Extent(extent)),
            Some(None) => break,
            None => return Ok(false),
        }
    }
    Ok(is_whole)
}

/// What came of a look; nothing, if it met damage.
fn unless_damaged<T>(looked: Result<T, Error>) -> Result<Option<T>, Wrong> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(Wrong::Kind(error.to_string())),
    }
}

/// Changes a file that is not what it was: errors are fine, and panics are not.
fn use_it(layer: &SqliteDiskLayer) {
    let geometry = layer.metadata().geometry;
    let _ = layer.write(0, &vec![7; geometry.sector_size() as usize], Durability::Fua);
    let _ = layer.unmap(0, geometry.sector_count().min(8), Below::Something);
    let _ = layer.flush();
    let _ = layer.close();
}
