//! Operations of several threads: groups of them on a few neighbouring sectors, between operations of one alone.

use super::{Author, Bias};
use crate::request::{Below, Durability};
use crate::script::{Choices, Line, Op, OpKind, Target, Turn};

/// Steps are numbered up to this; few requests have more.
const STEPS: u64 = 7;

impl Author {
    /// About `count` operations, most of them of several threads.
    pub(super) fn lines(&mut self, count: u64, choices: &mut impl Choices) -> Vec<Line> {
        let mut lines = Vec::new();
        while (lines.len() as u64) < count {
            if choices.percent(55) {
                self.group(&mut lines, choices);
                // What a race has left behind in memory alone is gone, or shows, when the disk is opened again.
                lines.extend(choices.percent(25).then(|| self.reopen(choices).into()));
            } else {
                lines.push(self.op(choices).into());
            }
        }
        lines
    }

    fn group(&mut self, lines: &mut Vec<Line>, choices: &mut impl Choices) {
        let threads = choices.weighted(&[(6, 2), (3, 3), (1, 4)]);
        let target = match choices.percent(40) {
            true => Target::Layer(choices.below(self.sizes.len() as u64) as usize),
            false => Target::Disk,
        };
        let ground = self.range(self.size_of(target), 12, choices);
        // Sometimes most requests change over somewhere, sometimes hardly any: what races needs few changes of turn.
        let restless = choices.weighted(&[(3, 30), (3, 60), (1, 90)]);
        let flushes = choices.weighted(&[(3, 5), (1, 40)]);
        for _ in 0..choices.between(threads, 8) {
            let op = self.shared_op(target, ground, flushes, choices);
            let mut yields = Vec::new();
            while yields.len() < 3 && choices.percent(restless) {
                yields.push(choices.below(STEPS) as u8);
            }
            yields.sort_unstable();
            let turn = Some(Turn { thread: 1 + choices.below(threads) as u8, yields });
            lines.push(Line { turn, ..op.into() });
        }
    }

    fn shared_op(&mut self, target: Target, ground: (u64, u64), flushes: u64, choices: &mut impl Choices) -> Op {
        let of_the_disk = target == Target::Disk;
        let (fills, commits) = if of_the_disk { (0, 6) } else { (16, 0) };
        let kinds = [
            (38, OpKind::Read),
            (34, OpKind::Write),
            (14, OpKind::Unmap),
            (flushes, OpKind::Flush),
            (fills, OpKind::Fill),
            (commits, OpKind::Commit),
        ];
        let (sector, count) = match self.profile.bias {
            Bias::Swarm => near(ground, self.size_of(target), choices),
            Bias::Uniform => self.range(self.size_of(target), 12, choices),
        };
        match (choices.weighted(&kinds), target) {
            (OpKind::Write, _) => {
                let durability = if choices.percent(10) { Durability::Fua } else { Durability::Flushed };
                Op::Write { target, sector, count: count as u32, content: self.content(choices), durability }
            }
            (OpKind::Fill, Target::Layer(layer)) => {
                Op::Fill { layer, sector, count: count as u32, content: self.content(choices) }
            }
            (OpKind::Unmap, Target::Disk) => Op::Unmap { sector, count },
            (OpKind::Unmap, Target::Layer(layer)) => {
                let below = if choices.percent(60) { Below::Something } else { Below::Nothing };
                Op::UnmapLayer { layer, sector, count, below }
            }
            (OpKind::Flush, _) => Op::Flush { target },
            (OpKind::Commit, Target::Disk) => Op::Commit,
            _ => Op::Read { target, sector, count: count as u32 },
        }
    }
}

/// Sectors that overlap with others near `ground`, which may lie past the end.
fn near((sector, count): (u64, u64), size: u64, choices: &mut impl Choices) -> (u64, u64) {
    if sector.checked_add(count).is_none_or(|end| end > size) {
        return (sector, count);
    }
    let start = (sector + choices.below(3)).saturating_sub(choices.below(2)).min(size - 1);
    (start, choices.between(1, count.clamp(1, 8)).min(size - start))
}
