//! A hostile file is opened, to read and to write, and all that comes of it is judged.

use std::time::Duration;

use super::expect::Shown;
use super::finding::Wrong;
use super::original::Original;
use super::yard::{Prepared, Yard};
use crate::error::{Error, ErrorKind, Result};
use crate::harness::caught;
use crate::layer::{Effect, LayerIo, Mode, SectorMarker, SqliteDiskLayer};

/// No opening may take longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of a disk that are read whole, from its start; of a larger one what may be present is read.
const READ_WHOLE: u64 = 1 << 20;
/// What a read buffer is full of before the read.
const POISON: u8 = 0xee;

/// What came of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Served whole.
    Served,
    /// Served, with errors at some sectors.
    ServedInPart,
    /// Refused as no disk.
    NotADisk,
    /// Refused as damaged.
    Corrupt,
    /// Refused as too new.
    TooNew,
}

/// What a case that was judged has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether SQLite read its header and its schema.
    pub past_schema: bool,
    /// Whether bytes of a row are others than before, which nobody can tell.
    pub struck_rows: bool,
    /// The longest that an opening took.
    pub slowest: Duration,
    /// How many sectors were compared.
    pub sectors: u64,
}

/// The judging of one case.
pub(super) struct Trial<'a> {
    pub(super) yard: &'a Yard,
    pub(super) prepared: &'a Prepared,
    pub(super) original: &'a Original,
    pub(super) clock: &'a dyn Fn() -> Duration,
    pub(super) slowest: Duration,
    pub(super) sectors: u64,
}

impl Trial<'_> {
    pub(super) fn run(&mut self) -> Result<Judged, (Mode, Wrong)> {
        let mut seen = Vec::new();
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let before = self.slowest;
            let judged = caught(|| self.open(mode)).unwrap_or_else(|panic| Err(Wrong::Panic(panic)));
            seen.push(judged.map_err(|wrong| (mode, wrong))?);
            if self.slowest > PATIENCE {
                return Err((mode, Wrong::Slow(self.slowest.max(before))));
            }
        }
        let (outcome, past_schema) = seen[1];
        if seen[0].0 != outcome && !self.prepared.needs_writer {
            return Err((Mode::ReadOnly, Wrong::Disagreement { reader: seen[0].0, writer: outcome }));
        }
        self.must(outcome).map_err(|wrong| (Mode::ReadWrite, wrong))?;
        let struck_rows = self.prepared.expected.is_data_struck;
        Ok(Judged { outcome, past_schema, struck_rows, slowest: self.slowest, sectors: self.sectors })
    }

    fn must(&self, outcome: Outcome) -> Result<(), Wrong> {
        let is_right = match self.prepared.effect {
            None => true,
            Some(Effect::Refused) => !matches!(outcome, Outcome::Served | Outcome::ServedInPart),
            Some(Effect::Served) => outcome == Outcome::Served,
            Some(Effect::SectorLost) => outcome == Outcome::ServedInPart,
        };
        let is_whole = self.prepared.files.file == self.original.file
            && self.prepared.files.log == self.original.log
            && self.prepared.files.journal.is_empty();
        match is_right && (!is_whole || outcome == Outcome::Served) {
            true => Ok(()),
            false => Err(Wrong::Outcome { must: self.prepared.effect, outcome }),
        }
    }

    fn open(&mut self, mode: Mode) -> Result<(Outcome, bool), Wrong> {
        let begun = (self.clock)();
        let opened = SqliteDiskLayer::open(self.yard.path(""), mode, &self.yard.options);
        self.slowest = self.slowest.max((self.clock)().saturating_sub(begun));
        match opened {
            Ok(layer) => {
                let outcome = self.served(&layer)?;
                match mode {
                    Mode::ReadWrite => self.change(layer)?,
                    Mode::ReadOnly => {
                        drop(layer);
                        self.unchanged("a reader changed it")?;
                    }
                }
                Ok((outcome, true))
            }
            Err(error) => {
                self.unchanged(&error.to_string())?;
                self.refused(mode, &error)
            }
        }
    }

    fn unchanged(&self, why: &str) -> Result<(), Wrong> {
        match self.yard.files() == self.prepared.files {
            true => Ok(()),
            false => Err(Wrong::Changed(why.to_owned())),
        }
    }

    fn refused(&self, mode: Mode, error: &Error) -> Result<(Outcome, bool), Wrong> {
        let outcome = match (outcome(error), error.kind()) {
            (Some(outcome), _) => outcome,
            (None, ErrorKind::PermissionDenied) if mode == Mode::ReadOnly && self.prepared.needs_writer => {
                Outcome::Corrupt
            }
            _ => return Err(Wrong::Kind(error.to_string())),
        };
        // The layer's own words are about what it read through SQLite.
        let past_schema = outcome == Outcome::TooNew || error.to_string().contains("the disk layer is damaged");
        Ok((outcome, past_schema))
    }

    fn served(&mut self, layer: &SqliteDiskLayer) -> Result<Outcome, Wrong> {
        let metadata = layer.metadata();
        let expected = &self.prepared.expected;
        let geometry = (metadata.geometry.sector_count(), u64::from(metadata.geometry.sector_size()));
        if expected.geometry.is_some_and(|expected| expected != geometry) {
            return Err(Wrong::Metadata(format!("{geometry:?}, and its metadata says {:?}", expected.geometry)));
        }
        let state = &self.original.states;
        if self.prepared.effect.is_none() && !expected.is_identity_struck {
            let known = state.iter().any(|state| state.identity == metadata.identity);
            if !known || metadata.parent != self.original.parent {
                return Err(Wrong::Metadata(format!("{:?}, parent {:?}", metadata.identity, metadata.parent)));
            }
        }
        let mut lost = self.read_whole(layer)?;
        lost += self.walk(layer)?;
        Ok(if lost > 0 { Outcome::ServedInPart } else { Outcome::Served })
    }

    /// Reads from the start, and what may be present elsewhere; how many sectors are errors.
    fn read_whole(&mut self, layer: &SqliteDiskLayer) -> Result<u64, Wrong> {
        let geometry = layer.metadata().geometry;
        let most = (READ_WHOLE / u64::from(geometry.sector_size())).max(self.original.geometry.sector_count());
        let whole = geometry.sector_count().min(most);
        let mut lost = 0;
        let mut buf = Vec::new();
        for start in (0..whole).step_by(64) {
            let count = (whole - start).min(64);
            match self.read(layer, start, count, &mut buf) {
                Ok(shown) => self.compare(start, &shown)?,
                Err(_) => {
                    for sector in start..start + count {
                        lost += self.read_one(layer, sector, &mut buf)?;
                    }
                }
            }
        }
        for &sector in self.prepared.expected.sectors.range(whole..geometry.sector_count()).map(|(sector, _)| sector) {
            lost += self.read_one(layer, sector, &mut buf)?;
        }
        Ok(lost)
    }

    fn read_one(&mut self, layer: &SqliteDiskLayer, sector: u64, buf: &mut Vec<u8>) -> Result<u64, Wrong> {
        match self.read(layer, sector, 1, buf) {
            Ok(shown) => self.compare(sector, &shown).map(|()| 0),
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(1),
            Err(error) => Err(Wrong::Kind(error.to_string())),
        }
    }

    pub(super) fn read(
        &mut self,
        layer: &SqliteDiskLayer,
        start: u64,
        count: u64,
        buf: &mut Vec<u8>,
    ) -> Result<Vec<Shown>> {
        let size = layer.metadata().geometry.sector_size() as usize;
        buf.clear();
        buf.resize(count as usize * size, POISON);
        let mut marker = SectorMarker::new(start..start + count);
        layer.read(start, buf, &mut marker)?;
        self.sectors += count;
        let shown = |(sector, data): (u64, &[u8])| match marker.is_set(sector) {
            true if data.iter().all(|byte| *byte == 0) => Shown::Zeros,
            true => Shown::Data(data.to_vec()),
            // A buffer that was written in spite of that is as wrong as data.
            false if data.iter().any(|byte| *byte != POISON) => Shown::Data(data.to_vec()),
            false => Shown::Absent,
        };
        Ok((start..start + count).zip(buf.chunks_exact(size)).map(shown).collect())
    }

    fn compare(&self, start: u64, shown: &[Shown]) -> Result<(), Wrong> {
        for (sector, shown) in (start..).zip(shown) {
            let may = self.prepared.expected.sectors.get(&sector);
            let is_right = match may {
                None => *shown == Shown::Absent,
                Some(may) => may.iter().any(|may| is_same(may, shown)),
            };
            if !is_right {
                return Err(Wrong::Data {
                    sector,
                    shown: brief(shown),
                    may: may.into_iter().flatten().map(brief).collect(),
                });
            }
        }
        Ok(())
    }

    /// Walks the extents: what is said to be present may be. How many looks are errors.
    fn walk(&mut self, layer: &SqliteDiskLayer) -> Result<u64, Wrong> {
        let mut at = 0;
        for _ in 0..4096 {
            match layer.next_extent(at) {
                Ok(None) => break,
                Ok(Some(extent)) => {
                    let may = |sector: &u64| self.prepared.expected.sectors.contains_key(sector);
                    if extent.start < at || extent.is_empty() || !extent.clone().all(|sector| may(&sector)) {
                        return Err(Wrong::Extent(extent));
                    }
                    at = extent.end;
                }
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(1),
                Err(error) => return Err(Wrong::Kind(error.to_string())),
            }
        }
        Ok(0)
    }
}

/// What a refusal says of the file, if it says anything.
pub(super) fn outcome(error: &Error) -> Option<Outcome> {
    match error.kind() {
        ErrorKind::NotADisk => Some(Outcome::NotADisk),
        ErrorKind::Corrupt => Some(Outcome::Corrupt),
        ErrorKind::TooNew => Some(Outcome::TooNew),
        _ => None,
    }
}

/// Zeros may be stored as bytes.
pub(super) fn is_same(may: &Shown, shown: &Shown) -> bool {
    let is_zero = |shown: &Shown| match shown {
        Shown::Zeros => true,
        Shown::Data(data) => data.iter().all(|byte| *byte == 0),
        Shown::Absent => false,
    };
    may == shown || (*shown == Shown::Zeros && is_zero(may))
}

pub(super) fn brief(shown: &Shown) -> String {
    match shown {
        Shown::Absent => "absent".to_owned(),
        Shown::Zeros => "zeros".to_owned(),
        Shown::Data(data) => format!("{} bytes, {:02x?}…", data.len(), &data[..data.len().min(4)]),
    }
}
