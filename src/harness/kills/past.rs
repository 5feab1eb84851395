//! What a layer may be after a kill: every state since it last had to be durable. Plain on purpose.

use super::life::{Life, SECTORS, Step};

/// Of each sector the stamp of its bytes, 0 for zeros; `None` if it is absent.
pub(super) type Held = Vec<Option<u32>>;

/// The states of a life, the latest last.
pub(super) struct Past {
    /// What the layer held when it was opened.
    first: Held,
    /// Of each state, the number of the step that made it, and what the layer held.
    states: Vec<(u64, Held)>,
}

impl Past {
    /// The past of `life`, which found `held`, was told that `done` steps were done, and had begun `begun`.
    pub(super) fn new(life: Life, held: Held, done: u64, begun: u64) -> Self {
        let mut states = vec![(0, held.clone())];
        for (number, step) in (1..=begun).zip(life.steps()) {
            let mut held = states[states.len() - 1].1.clone();
            match step {
                Step::Write { sector, count, stamp, .. } => held[range(sector, count)].fill(Some(stamp)),
                Step::Unmap { sector, count } => held[range(sector, count)].fill(Some(0)),
                Step::Clear => held.fill(None),
                Step::Flush | Step::Reopen => {}
            }
            states.push((number, held));
            if number <= done && step.promises() {
                states.drain(..states.len() - 1);
            }
        }
        Self { first: held, states }
    }

    /// How many different states are permitted.
    pub(super) fn permitted(&self) -> usize {
        let mut all: Vec<_> = self.states.iter().map(|(_, held)| held).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }

    /// Whether the layer may hold that.
    pub(super) fn permits(&self, held: &Held) -> bool {
        self.states.iter().any(|(_, state)| state == held)
    }

    /// Whether no step is missing in it.
    pub(super) fn is_latest(&self, held: &Held) -> bool {
        self.states[self.states.len() - 1].1 == *held
    }

    /// Whether it is not what the life began with.
    pub(super) fn has_changed(&self, held: &Held) -> bool {
        self.first != *held
    }

    /// The first step that may be lost.
    pub(super) fn floor(&self) -> u64 {
        self.states[0].0
    }

    /// How `held` differs from the latest state, and from the one that had to be there.
    pub(super) fn describe(&self, held: &Held) -> String {
        let (floor, latest) = (&self.states[0], &self.states[self.states.len() - 1]);
        let differs = |(number, state): &(u64, Held)| {
            let wrong: Vec<_> = (0..SECTORS as usize).filter(|&at| state[at] != held[at]).collect();
            let first = wrong.first().map_or(String::new(), |&at| {
                format!(", the first is sector {at}: {} instead of {}", told(held[at]), told(state[at]))
            });
            format!("from that after step {number} it differs in {} sectors{first}", wrong.len())
        };
        format!("it is in none of the {} states permitted\n{}\n{}", self.permitted(), differs(floor), differs(latest))
    }
}

fn range(sector: u64, count: u64) -> std::ops::Range<usize> {
    sector as usize..(sector + count) as usize
}

fn told(stamp: Option<u32>) -> String {
    match stamp {
        None => "absent".to_owned(),
        Some(0) => "zeros".to_owned(),
        Some(stamp) => format!("stamp {stamp:#x}"),
    }
}
