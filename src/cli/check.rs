//! `disklayer check`: says whether the file of a layer is whole, and gets out of it what can be read.
//!
//! The exit code is that of `fsck`: 0 whole, 1 damaged and all of it salvaged, 4 damaged, 8 the file could not be looked
//! at, 16 bad usage.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::layer::{Checkup, Identity, Options, Parent, Salvaged, check, salvage};
use serde::Serialize;

use super::table::counted;
use super::{Verdict, note};

/// The file could not be looked at.
const FAILED: u8 = 8;

/// Say whether the file of a layer is whole; it is never changed
///
/// Every page is looked at and every sector read. Exit codes are those of fsck: 0 the file is whole, 1 it is damaged and
/// all of its sectors were salvaged, 4 it is damaged (or not a layer) and something is left so, 8 the file could not be
/// looked at (in use, not there, no file, no access), 16 bad usage.
#[derive(Args)]
pub(super) struct Check {
    file: PathBuf,
    /// If it is damaged, write what can be read into a new layer
    #[arg(long, value_name = "OUT")]
    salvage: Option<PathBuf>,
    /// Write the report as JSON to stdout
    #[arg(long)]
    json: bool,
}

/// The report, and the form of the JSON.
#[derive(Serialize)]
struct Report<'a> {
    /// `whole`, `damaged` or `salvaged`.
    verdict: &'static str,
    /// JSON is text, so what is not text in a path is replaced here.
    file: Cow<'a, str>,
    /// Why it cannot be opened, if it cannot.
    refusal: Option<String>,
    sector_count: Option<u64>,
    sector_size: Option<u32>,
    identity: Option<Identity>,
    parent: Option<Parent>,
    /// Sectors that are present and can be read.
    present: u64,
    /// Where sectors cannot be read: first sector and number.
    damaged: Vec<(u64, u64)>,
    /// What SQLite says of the pages.
    misfits: &'a [String],
    salvaged: Option<Saved<'a>>,
}

/// What was salvaged.
#[derive(Serialize)]
struct Saved<'a> {
    file: Cow<'a, str>,
    sectors: u64,
    /// Where sectors could not be read: first sector and number.
    lost: Vec<(u64, u64)>,
}

impl Check {
    pub(super) fn execute(self) -> Result<Verdict> {
        self.look().or_else(|error| {
            note(&format!("error: {error}"));
            Ok(Verdict::Code(FAILED))
        })
    }

    fn look(&self) -> Result<Verdict> {
        // What is no file is no damaged one, and nobody has to be alarmed.
        if std::fs::metadata(&self.file).is_ok_and(|info| !info.is_file()) {
            let what = format!("{} is not a file, and a disk layer is one", self.file.display());
            return Err(Error::new(ErrorKind::NotADisk, what));
        }
        let options = Options::default();
        let checkup = check(&self.file, &options)?;
        let salvaged = match &self.salvage {
            Some(out) if !checkup.is_whole() => self.salvage(out, &options)?,
            _ => None,
        };
        let is_all = salvaged.as_ref().is_some_and(|salvaged| salvaged.lost.is_empty());
        let report = Report::new(&self.file, &checkup, salvaged.as_ref(), self.salvage.as_deref());
        super::print(&if self.json { report.json()? } else { report.text() })?;
        Ok(Verdict::Code(match checkup.is_whole() {
            true => 0,
            false if is_all => 1,
            false => 4,
        }))
    }

    /// What could be salvaged; nothing if the file has nothing that says it is a layer.
    fn salvage(&self, out: &Path, options: &Options) -> Result<Option<Salvaged>> {
        match salvage(&self.file, out, options) {
            Err(error) if matches!(error.kind(), ErrorKind::NotADisk | ErrorKind::Corrupt | ErrorKind::TooNew) => {
                note(&format!("nothing was salvaged: {error}"));
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}

impl<'a> Report<'a> {
    fn new(file: &'a Path, checkup: &'a Checkup, salvaged: Option<&Salvaged>, out: Option<&'a Path>) -> Self {
        let saved = out.zip(salvaged).map(|(file, salvaged)| Saved {
            file: file.to_string_lossy(),
            sectors: salvaged.sectors,
            lost: counts(&salvaged.lost),
        });
        Self {
            verdict: match (checkup.is_whole(), &saved) {
                (true, _) => "whole",
                (false, Some(saved)) if saved.lost.is_empty() => "salvaged",
                (false, _) => "damaged",
            },
            file: file.to_string_lossy(),
            refusal: checkup.refusal.as_ref().map(ToString::to_string),
            sector_count: checkup.geometry.map(|geometry| geometry.sector_count()),
            sector_size: checkup.geometry.map(|geometry| geometry.sector_size()),
            identity: checkup.identity,
            parent: checkup.parent,
            present: checkup.present,
            damaged: counts(&checkup.damaged),
            misfits: &checkup.misfits,
            salvaged: saved,
        }
    }

    fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|e| Error::new(ErrorKind::Io, "writing JSON").because(e))
    }

    fn text(&self) -> String {
        let size = match (self.sector_count, self.sector_size) {
            (Some(count), Some(size)) => {
                format!("{} of {size} bytes, {} present", counted(count, "sector"), self.present)
            }
            _ => "its size cannot be read".to_owned(),
        };
        let mut text = format!("{}  {}: {size}\n", self.verdict.to_uppercase(), self.file);
        let mut line = |what: String| text += &format!("  {what}\n");
        self.refusal.iter().for_each(|refusal| line(format!("open refuses it: {refusal}")));
        if !self.damaged.is_empty() {
            line(format!("cannot be read: {}", ranges(&self.damaged)));
        }
        self.misfits.iter().for_each(|misfit| line(format!("SQLite: {misfit}")));
        if let Some(saved) = &self.salvaged {
            line(format!("{} written to {}", counted(saved.sectors, "sector"), saved.file));
            if !saved.lost.is_empty() {
                line(format!("not salvaged: {}", ranges(&saved.lost)));
            }
        }
        text
    }
}

fn counts(ranges: &[Range<u64>]) -> Vec<(u64, u64)> {
    ranges.iter().map(|range| (range.start, range.end - range.start)).collect()
}

/// `sector 7, sectors 9 to 12`.
fn ranges(ranges: &[(u64, u64)]) -> String {
    const MOST: usize = 20;
    let one = |&(start, count): &(u64, u64)| match count {
        1 => format!("sector {start}"),
        _ => format!("sectors {start} to {}", start + count - 1),
    };
    let mut text = ranges.iter().take(MOST).map(one).collect::<Vec<_>>().join(", ");
    if ranges.len() > MOST {
        text += &format!(" and {} more ranges", ranges.len() - MOST);
    }
    text
}
