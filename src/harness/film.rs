//! A script's run as something that can be drawn: what lies in every layer after each step, and what must lie there.
//!
//! Layers are read alone, as the harness always looks at them, so no cache is filled. Looking makes SQLite call its
//! files, though, which may move a strike to another call. A run that ends otherwise when it is looked at is filmed
//! again with the eyes on the oracle alone, until the end.

use std::ops::Range;

use super::divergence::Difference;
use super::stack::prove_seen;
use super::{Divergence, Step, Subject, Summary, World, caught, prove};
use crate::layer::SectorMarker;
use crate::oracle::Oracle;
use crate::script::{Content, Script};

mod bands;
mod palette;

use palette::Palette;

/// Neighbouring sectors that every operation has treated alike; the first of them is looked at.
pub type Sectors = Range<u64>;

/// A script's run.
pub struct Film {
    /// The sectors that are shown, in order.
    pub bands: Vec<Sectors>,
    /// The stack at first, and after each step; what ran at once is one.
    pub frames: Vec<Frame>,
    /// How it ended.
    pub end: Result<Summary, Box<Divergence>>,
}

/// The stack at a moment.
pub struct Frame {
    /// The numbers of the operations that led here, each with what came of it; none at first.
    pub steps: Vec<(usize, String)>,
    /// The layers, top first.
    pub rows: Vec<Row>,
    /// What the operation has found, and should have found, if it is there that it diverges.
    pub found: Option<Wrong>,
}

/// A layer at a moment.
pub struct Row {
    /// What it is, and how large in sectors.
    pub kind: String,
    /// Its size in sectors.
    pub sector_count: u64,
    /// How far it shows through those above.
    pub visible: u64,
    /// What it holds of each band.
    pub held: Vec<Held>,
    /// What it must hold instead, and in which sector.
    pub wrong: Vec<Wrong>,
}

/// A sector that is not as it must be.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its number.
    pub sector: u64,
    /// What must be there.
    pub expected: Held,
    /// What is there.
    pub actual: Held,
}

/// What a layer holds of a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The layer ends before it.
    Outside,
    /// Nothing.
    Absent,
    /// Zeros.
    Zeros,
    /// What was said of a sector: of this one, unless it went astray.
    Said(Content, u64),
    /// Bytes that nobody wrote.
    Unknown,
}

/// Where the eyes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eyes {
    OnLayers,
    OnOracle,
}

/// Runs `script` on a real stack, and keeps what there is after each step.
pub fn film(script: &Script, world: &mut World) -> Film {
    let end = prove(script, world);
    let watched = shoot(script, world, &end, Eyes::OnLayers);
    let same = match (&end, &watched.end) {
        (Ok(_), Ok(_)) => true,
        (Err(one), Err(other)) => one.signature() == other.signature() && one.step == other.step,
        _ => false,
    };
    let frames = if same { watched.frames } else { shoot(script, world, &end, Eyes::OnOracle).frames };
    Film { end, frames, bands: watched.bands }
}

fn shoot(script: &Script, world: &mut World, end: &Result<Summary, Box<Divergence>>, eyes: Eyes) -> Film {
    let difference = end.as_ref().err().map(|found| &found.difference);
    let bands = bands::bands(script, difference.and_then(Difference::sector));
    let mut camera = Camera { script, palette: Palette::new(script), bands: &bands, frames: Vec::new() };
    let frames = std::cell::RefCell::new(&mut camera);
    let end = prove_seen(script, world, &mut |step| frames.borrow_mut().step(step, eyes), &mut |disk, oracle| {
        let mut camera = frames.borrow_mut();
        // The second time the run is over, and nothing can be disturbed any more.
        let eyes = if camera.frames.is_empty() { eyes } else { Eyes::OnLayers };
        let rows = camera.rows(disk, oracle, eyes);
        camera.frames.push(Frame { steps: Vec::new(), rows, found: None });
    });
    let mut frames = camera.frames;
    if let (Err(found), Some(last)) = (&end, frames.last_mut()) {
        last.steps
            .extend(found.step.filter(|step| *step < script.lines.len()).map(|step| (step, "DIVERGES".to_owned())));
        last.found = found_there(&found.difference, &Palette::new(script));
    }
    Film { bands, frames, end }
}

/// What an operation itself has found.
fn found_there(difference: &Difference, palette: &Palette) -> Option<Wrong> {
    let Difference::Bytes(bytes) = difference else { return None };
    let held = |bytes: &[u8], sector| palette.recognise(bytes, sector);
    let (expected, actual) = (held(&bytes.expected, bytes.sector), held(&bytes.actual, bytes.sector));
    Some(Wrong { sector: bytes.sector, expected, actual })
}

struct Camera<'a> {
    script: &'a Script,
    palette: Palette,
    bands: &'a [Sectors],
    frames: Vec<Frame>,
}

impl Camera<'_> {
    fn step(&mut self, step: &Step<'_>, eyes: Eyes) {
        let rows = self.rows(step.disk, step.oracle, eyes);
        let done = (step.index, step.outcome.to_string());
        let at_once = |frame: &Frame| {
            frame.steps.first().is_some_and(|(first, _)| self.script.at_once(*first).contains(&step.index))
        };
        match self.frames.last_mut().filter(|frame| at_once(frame)) {
            Some(frame) => {
                frame.steps.push(done);
                frame.rows = rows;
            }
            None => self.frames.push(Frame { steps: vec![done], rows, found: None }),
        }
    }

    fn rows(&mut self, disk: &dyn Subject, oracle: &Oracle, eyes: Eyes) -> Vec<Row> {
        (0..oracle.layer_count()).map(|index| self.row(index, disk, oracle, eyes)).collect()
    }

    fn row(&mut self, index: usize, disk: &dyn Subject, oracle: &Oracle, eyes: Eyes) -> Row {
        let sector_count = oracle.sector_count(index);
        let expected: Vec<Held> = self.bands.iter().map(|band| self.expected(index, band.start, oracle)).collect();
        // Whoever has panicked may do so again.
        let looked = || self.bands.iter().map(|band| self.actual(index, band.start, sector_count, disk)).collect();
        let seen: Option<Vec<Option<Held>>> = (eyes == Eyes::OnLayers).then(|| caught(looked).ok()).flatten();
        let held: Vec<Held> = match &seen {
            None => expected.clone(),
            Some(seen) => seen.iter().zip(&expected).map(|(seen, expected)| seen.unwrap_or(*expected)).collect(),
        };
        let pairs = self.bands.iter().zip(expected.iter().zip(&held));
        let wrong = pairs
            .filter(|(_, (expected, actual))| expected != actual)
            .map(|(band, (&expected, &actual))| Wrong { sector: band.start, expected, actual });
        let kind = oracle.kind(index).to_string();
        Row { kind, sector_count, visible: oracle.visible(index), wrong: wrong.collect(), held }
    }

    fn expected(&self, index: usize, sector: u64, oracle: &Oracle) -> Held {
        if sector >= oracle.sector_count(index) {
            return Held::Outside;
        }
        let mut buf = vec![0; self.script.shape.sector_size as usize];
        let present = oracle.look(index, sector, &mut buf);
        if present == [true] { self.palette.recognise(&buf, sector) } else { Held::Absent }
    }

    /// What a layer holds, if it says so.
    fn actual(&self, index: usize, sector: u64, count: u64, disk: &dyn Subject) -> Option<Held> {
        if sector >= count {
            return Some(Held::Outside);
        }
        let mut buf = vec![0; self.script.shape.sector_size as usize];
        let mut marker = SectorMarker::new(sector..sector + 1);
        disk.layer(index)?.read(sector, &mut buf, &mut marker).ok()?;
        Some(if marker.is_set(sector) { self.palette.recognise(&buf, sector) } else { Held::Absent })
    }
}
