//! Whatever the harness can be pointed at.

use std::sync::Arc;

use super::powered::Powered;
use super::shared::{Shared, Threads};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{LayerIo, SectorMarker, UnmapBehavior};
use crate::request::Durability;
use crate::script::{Op, Outcome, Pushed, Reopen, Target, Touched};

/// What a subject can do beyond being read, written, unmapped and flushed. What it cannot is skipped, on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Its layers can be used and looked at alone.
    pub layers: bool,
    /// It can be closed and opened again, in each of the ways of [`Subject::reopen`].
    pub reopen: bool,
    /// Layers can be pushed, discarded and committed.
    pub reshape: bool,
}

/// A disk under test. The harness calls it from one thread and takes each answer as final when the call returns; what
/// lies behind it (a runtime, a socket, another process) is the implementor's.
///
/// Refusals are [`Error`]s with the kinds of the contract: `Misaligned`, `OutOfRange`, `ReadOnly`. A new disk reads as
/// zeros.
pub trait Subject {
    /// Fills `buf` with the sectors at `sector`.
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()>;

    /// Writes `data` at `sector`.
    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()>;

    /// Unmaps `count` sectors at `sector`.
    fn unmap(&mut self, sector: u64, count: u64) -> Result<()>;

    /// Makes everything acknowledged durable.
    fn flush(&mut self) -> Result<()>;

    /// What it declares to do with unmapped sectors; it is judged by this.
    fn unmap_behavior(&self) -> UnmapBehavior {
        UnmapBehavior::Zeroes
    }

    /// What else it can do.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// Closes the disk and opens it again. Whichever way, all that was written is there afterwards, whether it was
    /// flushed or not, for closing is no power cut; and it is durable, if the power can be cut ([`Subject::powered`]).
    ///
    /// - [`Reopen::Writable`]: as at first. What was read-only is so no longer.
    /// - [`Reopen::ReadOnly`]: until the next reopening, writes and unmaps of at least one sector are refused with
    ///   `ReadOnly`; if they are `Misaligned` or `OutOfRange` too, with that. Reads and flushes go on, and a layer that is used alone ([`Subject::layer`]) stays as writable as it is.
    /// - [`Reopen::Elsewhere`]: for somebody's own disk the same as `Writable`. In a stack, the layer on top is first
    ///   tried over a stranger's disk, which it must refuse.
    ///
    /// # Errors
    ///
    /// None is expected of somebody's own disk: one that is returned is a divergence. A disk that lacks one of the ways
    /// leaves [`Abilities::reopen`] out.
    fn reopen(&mut self, how: Reopen) -> Result<()> {
        let _ = how;
        Err(unable())
    }

    /// Puts a new layer on top.
    fn push(&mut self, pushed: Pushed) -> Result<()> {
        let _ = pushed;
        Err(unable())
    }

    /// Drops the top layer.
    fn discard(&mut self) -> Result<()> {
        Err(unable())
    }

    /// Moves the sectors of the top layer down.
    fn commit(&mut self) -> Result<()> {
        Err(unable())
    }

    /// Layer `index`, counted from the top.
    fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        let _ = index;
        None
    }

    /// The same disk, if its power can be cut.
    fn powered(&mut self) -> Option<&mut dyn Powered> {
        None
    }

    /// The disk, for several threads at once, if it allows that; if not, they take turns operation by operation. They
    /// commit, too, if it has [`Abilities::reshape`].
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }

    /// How threads go about it.
    fn threads(&self) -> Threads {
        Threads::TakeTurns
    }

    /// How much of each layer was touched since the last call, if it can tell.
    fn touched(&mut self) -> Option<Vec<Touched>> {
        None
    }
}

pub(super) fn unable() -> Error {
    Error::new(ErrorKind::Unsupported, "this subject does not have the operation")
}

/// What a subject did.
pub struct Actual {
    /// What came of it.
    pub outcome: Outcome,
    /// The subject's own words about a refusal.
    pub message: Option<String>,
    /// For a read of one layer: which sectors it marked present.
    pub present: Option<Vec<bool>>,
}

/// Does `op` on `subject`. `buf` has the op's length: a read fills it, and what is written is made in it.
pub fn act(subject: &mut dyn Subject, op: &Op, sector_size: usize, buf: &mut [u8]) -> Actual {
    if let (Op::Write { content, .. } | Op::Fill { content, .. }, Some((sector, _))) = (op, op.range()) {
        content.render(sector, sector_size, buf);
    }
    if let Target::Layer(index) = op.target() {
        return match subject.layer(index) {
            Some(layer) => apply_to_layer(&*layer, op, sector_size, buf),
            None => Actual { outcome: Outcome::Skipped, message: None, present: None },
        };
    }
    let result = match *op {
        Op::Read { sector, .. } | Op::ReadBytes { sector, .. } => subject.read(sector, buf),
        Op::Write { sector, durability, .. } => subject.write(sector, buf, durability),
        Op::WriteBytes { sector, .. } => subject.write(sector, buf, Durability::Flushed),
        Op::Unmap { sector, count } => subject.unmap(sector, count),
        Op::Flush { .. } => subject.flush(),
        Op::Reopen(how) => subject.reopen(how),
        Op::Push(pushed) => subject.push(pushed),
        Op::Discard => subject.discard(),
        Op::Commit => subject.commit(),
        Op::Fill { .. } | Op::UnmapLayer { .. } => Err(unable()),
    };
    actual(&result, None)
}

fn apply_to_layer(layer: &dyn LayerIo, op: &Op, sector_size: usize, buf: &mut [u8]) -> Actual {
    let result = match *op {
        Op::Read { sector, .. } | Op::ReadBytes { sector, .. } => {
            let count = (buf.len() / sector_size) as u64;
            let mut marker = SectorMarker::new(sector..sector.saturating_add(count));
            let result = layer.read(sector, buf, &mut marker);
            let present = result.is_ok().then(|| marker.range().map(|sector| marker.is_set(sector)).collect());
            return actual(&result, present);
        }
        Op::Write { sector, durability, .. } => layer.write(sector, buf, durability),
        Op::WriteBytes { sector, .. } => layer.write(sector, buf, Durability::Flushed),
        Op::Fill { sector, .. } => layer.write_no_overwrite(sector, buf),
        Op::UnmapLayer { sector, count, below, .. } => layer.unmap(sector, count, below),
        Op::Flush { .. } => layer.flush(),
        _ => Err(unable()),
    };
    actual(&result, None)
}

fn actual(result: &Result<()>, present: Option<Vec<bool>>) -> Actual {
    let message = result.as_ref().err().map(ToString::to_string);
    Actual { outcome: result.into(), message, present }
}
