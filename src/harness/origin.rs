//! Where wrong bytes came from: which write said them, and on which layer they lie.

use std::fmt;

use super::divergence::Difference;
use super::subject::Subject;
use crate::layer::SectorMarker;
use crate::script::{Content, Line, Script};

/// How far from the start of a write its sectors are tried.
const REACH: u64 = 4096;

/// What is known about wrong bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    author: Author,
    layer: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Author {
    /// The sector of an operation.
    Op {
        step: usize,
        text: String,
        sector: u64,
    },
    /// The sector of a layer that was filled before the script.
    Layer {
        index: usize,
        sector: u64,
    },
    /// The buffer was not filled.
    Nobody,
    Zeros,
    Unknown,
}

/// Finds out who wrote the bytes that a read has found; `poison` is what its buffer was full of.
pub(super) fn trace(
    script: &Script,
    step: usize,
    difference: &Difference,
    subject: &dyn Subject,
    poison: u8,
) -> Option<Origin> {
    let (sector, actual) = match difference {
        Difference::Bytes(bytes) => (bytes.sector, &bytes.actual),
        Difference::Survival { telling: Some((sector, actual)), .. } => (*sector, actual),
        _ => return None,
    };
    let author = match actual.iter().all(|&byte| byte == poison) {
        true => Author::Nobody,
        false => author(script, step, sector, actual),
    };
    Some(Origin { author, layer: lies_on(subject, sector, actual) })
}

fn author(script: &Script, step: usize, sector: u64, actual: &[u8]) -> Author {
    let mut buf = vec![0; actual.len()];
    let mut says = |content: Content, first: u64, count: u64| {
        let here = (first..first.saturating_add(count)).contains(&sector).then_some(sector);
        here.into_iter().chain(first..first.saturating_add(count.min(REACH))).find(|&sector| {
            content.render(sector, actual.len(), &mut buf);
            buf == actual
        })
    };
    for (step, Line { op, .. }) in script.lines[..=step.min(script.lines.len() - 1)].iter().enumerate().rev() {
        if let (Some(content), Some((first, count))) = (op.content(), op.range())
            && let Some(sector) = says(content, first, count)
        {
            return Author::Op { step, text: op.to_string(), sector };
        }
    }
    for (index, layer) in script.shape.layers.iter().enumerate() {
        if let Some(sector) = layer.filled.and_then(|stamp| says(Content::Stamp(stamp), 0, layer.sector_count)) {
            return Author::Layer { index, sector };
        }
    }
    if actual.iter().all(|&byte| byte == 0) { Author::Zeros } else { Author::Unknown }
}

/// The first layer that holds just these bytes there.
fn lies_on(subject: &dyn Subject, sector: u64, actual: &[u8]) -> Option<usize> {
    let mut buf = vec![0; actual.len()];
    (0..).map_while(|index| subject.layer(index).map(|layer| (index, layer))).find_map(|(index, layer)| {
        let mut marker = SectorMarker::new(sector..sector.checked_add(1)?);
        layer.read(sector, &mut buf, &mut marker).ok()?;
        (marker.is_set(sector) && buf == actual).then_some(index)
    })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.author {
            Author::Op { step, text, sector } => {
                write!(f, "the wrong bytes are sector {sector} of operation {step}, `{text}`")
            }
            Author::Layer { index, sector } => {
                write!(f, "the wrong bytes are sector {sector} of what layer {index} was filled with at first")
            }
            Author::Nobody => write!(f, "nobody wrote these bytes: the buffer was not filled"),
            Author::Zeros => write!(f, "the wrong bytes are zeros that no operation wrote"),
            Author::Unknown => write!(f, "the wrong bytes are those of no write"),
        }?;
        self.layer.map_or(Ok(()), |layer| write!(f, "; they lie on layer {layer}"))
    }
}
