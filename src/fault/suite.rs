//! The parts of the harness, by what they are to find.

use super::Fault;

/// What finds a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultSuite {
    /// Random scripts, on layers whose files nobody touches.
    Scripts,
    /// Scripts with power cuts and failing disks in them.
    PowerCuts,
    /// Requests from several threads.
    Threads,
    /// Files that are damaged, or made by somebody who means harm.
    HostileFiles,
    /// The same scripts, run twice.
    Repeats,
    /// All of these: the mistake is the oracle's own, and it also must not be blind to what is planted beside it.
    Oracle,
}

impl Fault {
    /// Every fault that `suite` finds.
    pub fn found_by(suite: FaultSuite) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |fault| fault.suite() == suite)
    }

    /// The fault of that name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| format!("{fault:?}") == name)
    }
}
