//! Disks of other people's, whose power is cut and whose storage fails: what they keep is what they are judged by.

use std::fmt::Debug;

use disklayer_sqlite::drive::Drive;
use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::harness::{Finding, Subject, Summary, search};
use disklayer_sqlite::layer::{FileSystem, RawFile, Wanted};

mod cached;
mod in_place;
mod log;

const SECTOR: usize = 512;
const COUNT: u64 = 40;

fn geometry() -> Geometry {
    Geometry::new(COUNT, SECTOR as u32).unwrap()
}

/// What a search finds, in at most so many lines.
fn found<S: Subject>(wrong: impl Debug, most: usize, make: impl FnMut() -> S) -> Finding {
    let Err(finding) = search(geometry(), 5, 20_000, make) else { panic!("{wrong:?} was not found") };
    let lines = finding.divergence.script.lines.len();
    assert!(lines <= most, "{wrong:?}: {}", finding.divergence);
    finding
}

fn passes<S: Subject>(geometry: Geometry, make: impl FnMut() -> S) -> Summary {
    search(geometry, 5, 2000, make).unwrap_or_else(|finding| panic!("{}", finding.divergence))
}

/// The file of a disk.
fn open(drive: &Drive) -> Result<Box<dyn RawFile>> {
    let opened = drive.open(&drive.path("disk"), Wanted::Writing);
    opened.map(|(file, _)| file).map_err(|e| Error::from_io("opening the disk", e))
}
