//! What several threads did at once, counted, and told when nothing explains it.

use std::fmt;

use crate::oracle::{Request, Unexplained};
use crate::sync::turns::Turned;

/// Counts of what threads did at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histories {
    /// Groups of operations that ran at once.
    pub groups: u64,
    /// Those in which two requests of different threads were really under way at the same time.
    pub overlapped: u64,
    /// Those in which a change overlapped another change or a read of the same sectors.
    pub raced: u64,
    /// Steps at which threads could change over, and how often they did.
    pub steps: u64,
    /// How often they did.
    pub switches: u64,
    /// Orders of changes that were begun in looking for one that explains a history.
    pub orders: u64,
}

impl Histories {
    pub(super) fn note(&mut self, requests: &[(u8, Request)], turned: Turned, orders: u64) {
        let pairs = || {
            let all = requests.iter().enumerate();
            all.flat_map(|(at, one)| requests[..at].iter().map(move |other| (one, other)))
                .filter(|(one, other)| one.0 != other.0 && one.1.overlaps(&other.1))
        };
        let raced = pairs().any(|(one, other)| one.1.races_with(&other.1));
        self.groups += 1;
        self.overlapped += u64::from(pairs().next().is_some());
        self.raced += u64::from(raced);
        self.steps += turned.steps;
        self.switches += turned.switches;
        self.orders += orders;
    }

    /// Adds the counts of another script.
    pub fn add(&mut self, other: &Self) {
        self.groups += other.groups;
        self.overlapped += other.overlapped;
        self.raced += other.raced;
        self.steps += other.steps;
        self.switches += other.switches;
        self.orders += other.orders;
    }
}

/// Requests of several threads that no order explains.
#[derive(Clone, Debug)]
pub struct History {
    /// The requests, each with the thread that made it.
    pub requests: Vec<(u8, Request)>,
    /// What does not go together.
    pub unexplained: Unexplained,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no order of what ran at once explains ")?;
        match self.unexplained {
            Unexplained::Read(read) => {
                let (thread, request) = &self.requests[read];
                write!(f, "what thread {thread} has found with `{}`", request.op)?;
            }
            Unexplained::Reads => write!(f, "what the reads have found")?,
            Unexplained::Sector(sector) => write!(f, "what lies in sector {sector} afterwards")?,
            Unexplained::Sectors => write!(f, "what lies in the sectors afterwards")?,
        }
        let mut requests: Vec<_> = self.requests.iter().collect();
        requests.sort_by_key(|(_, request)| request.called);
        requests.iter().try_for_each(|(thread, Request { op, called, returned, .. })| {
            write!(f, "\nfrom {called} to {returned}, thread {thread}: {op}")
        })
    }
}
