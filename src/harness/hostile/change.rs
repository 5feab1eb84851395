//! A damaged file that is served is changed: what is refused has changed nothing, what is acknowledged shows, and nothing
//! else does.

use std::ops::Range;

use super::expect::Shown;
use super::finding::Wrong;
use super::judge::{Trial, brief, is_same};
use crate::error::{ErrorKind, Result};
use crate::layer::{Below, Durability, LayerIo, Mode, SqliteDiskLayer};

/// So many sectors are looked at, from the start.
const MOST: u64 = 256;
/// The byte that is written. No sound file is full of it.
const BYTE: u8 = 7;

/// A change, and what it makes of a sector.
#[derive(Clone, Copy, Debug)]
enum Change {
    Write,
    Unmap(Below),
    Clear,
}

/// What each sector shows; nothing, where that is an error.
type Look = Vec<Option<Shown>>;

impl Trial<'_> {
    /// Changes a layer that was opened, and closes it.
    pub(super) fn change(&mut self, layer: SqliteDiskLayer) -> Result<(), Wrong> {
        let mut now = self.look(&layer)?;
        let count = now.len() as u64;
        // What ends amid damage has come far before it meets it.
        let met = now.iter().position(Option::is_none).map_or(count / 2, |lost| lost as u64);
        let last = now.iter().rposition(Option::is_none).map_or(met, |lost| lost as u64);
        let changes = [
            (Change::Unmap(Below::Something), met.min(1)..met + 1),
            (Change::Write, 0..met + 1),
            (Change::Unmap(Below::Nothing), last..count),
            (Change::Unmap(Below::Something), last..last + 1),
            (Change::Write, last..last + 1),
            (Change::Clear, 0..layer.metadata().geometry.sector_count()),
        ];
        // Where nothing is damaged there is less to see.
        let seen = if now.iter().all(Option::is_some) { changes.len() - 2..changes.len() } else { 0..changes.len() };
        for (change, range) in changes[seen].iter().cloned() {
            match change.make(&layer, range.clone()) {
                Ok(()) => {
                    let after = self.look(&layer)?;
                    let is_in = |sector: &u64| range.contains(sector);
                    let changed = |(sector, was): (u64, Option<Shown>)| match is_in(&sector) {
                        true => Some(change.shows(&layer)),
                        false => was,
                    };
                    compare(&after, &(0..).zip(now).map(changed).collect::<Look>(), change)?;
                    now = after;
                }
                // Who can no longer vouch for what he has says so, until he is opened again.
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Failed | ErrorKind::ReadOnly) => {
                    match layer.next_extent(0) {
                        Err(error) if error.kind() == ErrorKind::Failed => {
                            drop(layer);
                            return self.compare_again(&now, change);
                        }
                        _ => compare(&self.look(&layer)?, &now, change)?,
                    }
                }
                Err(error) => return Err(Wrong::Kind(error.to_string())),
            }
            // What comes next cannot take it back.
            if let Err(error) = layer.flush() {
                return Err(Wrong::Kind(error.to_string()));
            }
        }
        match layer.close() {
            Ok(()) => self.compare_again(&now, Change::Clear),
            Err(error) => Err(Wrong::Kind(error.to_string())),
        }
    }

    /// Opens the layer once more: it has what was last flushed.
    fn compare_again(&mut self, expected: &Look, change: Change) -> Result<(), Wrong> {
        let opened = SqliteDiskLayer::open(self.yard.path(""), Mode::ReadWrite, &self.yard.options);
        let layer = opened.map_err(|error| Wrong::Kind(format!("opened once more: {error}")))?;
        compare(&self.look(&layer)?, expected, change)
    }

    fn look(&mut self, layer: &SqliteDiskLayer) -> Result<Look, Wrong> {
        let count = layer.metadata().geometry.sector_count().min(MOST);
        let mut buf = Vec::new();
        if let Ok(shown) = self.read(layer, 0, count, &mut buf) {
            return Ok(shown.into_iter().map(Some).collect());
        }
        let shown = |sector| match self.read(layer, sector, 1, &mut buf) {
            Ok(mut shown) => Ok(shown.pop()),
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            Err(error) => Err(Wrong::Kind(error.to_string())),
        };
        (0..count).map(shown).collect()
    }
}

impl Change {
    fn make(self, layer: &SqliteDiskLayer, range: Range<u64>) -> Result<()> {
        let count = range.end - range.start;
        match self {
            Self::Write => {
                let size = layer.metadata().geometry.sector_size() as usize;
                layer.write(range.start, &vec![BYTE; count as usize * size], Durability::Fua)
            }
            Self::Unmap(below) => layer.unmap(range.start, count, below),
            Self::Clear => layer.clear(),
        }
    }

    fn shows(self, layer: &SqliteDiskLayer) -> Shown {
        match self {
            Self::Write => Shown::Data(vec![BYTE; layer.metadata().geometry.sector_size() as usize]),
            Self::Unmap(Below::Something) => Shown::Zeros,
            Self::Unmap(Below::Nothing) | Self::Clear => Shown::Absent,
        }
    }
}

/// Whether every sector shows what it must. What was an error may be anything.
fn compare(shown: &Look, expected: &Look, change: Change) -> Result<(), Wrong> {
    for (sector, (shown, expected)) in (0..).zip(shown.iter().zip(expected)) {
        let Some(expected) = expected else { continue };
        if !shown.as_ref().is_some_and(|shown| is_same(expected, shown)) {
            let shown = shown.as_ref().map_or("an error".to_owned(), brief);
            return Err(Wrong::Change { what: format!("{change:?}"), sector, shown, must: brief(expected) });
        }
    }
    Ok(())
}
