//! Operations that run at once, and how their threads take turns.

use std::ops::Range;

use super::{Op, OpKind, Script, Target};

/// Which thread does an operation, and where it lets another one go on.
///
/// Where a thread gives way is said on the line that it holds up, so that deleting any other line moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Its number, from 1.
    pub thread: u8,
    /// The steps of the operation before which the next thread goes on; step 0 is before the operation is called, the
    /// others are locks and calls of layers. A step that is not reached has no effect.
    pub yields: Vec<u8>,
}

impl Turn {
    /// The largest number of a thread.
    pub const MOST_THREADS: u8 = 8;

    /// Turns that are simpler in one respect.
    pub(super) fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        for at in 0..self.yields.len() {
            let mut fewer = self.clone();
            let step = fewer.yields.remove(at);
            simpler.push(fewer);
            let earlier = [0, step / 2, step.saturating_sub(1)].into_iter().filter(|earlier| *earlier < step);
            simpler.extend(earlier.map(|earlier| {
                let mut turn = self.clone();
                turn.yields[at] = earlier;
                turn
            }));
        }
        simpler.extend((self.thread > 1).then(|| Self { thread: self.thread - 1, ..self.clone() }));
        simpler
    }
}

impl Script {
    /// No thread lets another one begin first.
    pub(super) fn begin_at_once(&mut self) {
        let turns = self.lines.iter_mut().filter_map(|line| line.turn.as_mut());
        turns.for_each(|turn| turn.yields.retain(|step| *step > 0));
    }

    /// The same without line `index`, whose thread then does not have to let others begin first.
    pub(super) fn without_turn(&self, index: usize) -> Option<Self> {
        let thread = self.lines[index].turn.as_ref()?.thread;
        let mut script = self.without_ops(index..index + 1);
        let turns = script.lines.iter_mut().filter_map(|line| line.turn.as_mut());
        turns.filter(|turn| turn.thread == thread).for_each(|turn| turn.yields.retain(|step| *step > 0));
        Some(script)
    }

    /// So many operations run at once at most: there are too many orders of more.
    const MOST_AT_ONCE: usize = 10;

    /// The operations that run at once, beginning with line `start`: the lines that name a thread, as far as they are
    /// all of the disk, or all of layers alone. Whoever goes behind the back of a disk while it works on its layers is
    /// promised nothing (rule 23 is about one thing that is used by several threads), so such lines come after one
    /// another.
    pub fn at_once(&self, start: usize) -> Range<usize> {
        let of_the_disk = |op: &Op| op.target() == Target::Disk;
        let first = of_the_disk(&self.lines[start].op);
        let together = self.lines[start..].iter().take(Self::MOST_AT_ONCE);
        let count = together.take_while(|line| line.turn.is_some() && of_the_disk(&line.op) == first).count();
        start..start + count.max(1)
    }
}

impl Op {
    /// Whether a thread may do it while others work: what replaces the disk is done by one alone.
    pub fn can_be_shared(&self) -> bool {
        !matches!(self.kind(), OpKind::Reopen | OpKind::Push | OpKind::Discard)
    }
}
