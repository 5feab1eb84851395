//! For each planted fault a script that shows it.
//!
//! They take milliseconds. An oracle that is right sees each of them; one that permits more than it may is blind to some.

use super::{World, prove};
use crate::fault::{self, Fault, FaultSuite};
use crate::script::Script;

/// A fault, and a script that diverges with it and passes without.
#[derive(Clone, Debug)]
pub struct Canary {
    /// What is planted.
    pub fault: Fault,
    /// What shows it.
    pub script: Script,
}

impl Canary {
    /// Every canary that is kept.
    ///
    /// # Panics
    ///
    /// When `tests/canaries.txt` has a line that is none.
    pub fn all() -> Vec<Self> {
        let lines = include_str!("../../tests/canaries.txt").lines().filter(|line| !line.starts_with('#'));
        let read = |line: &str| {
            let (name, script) = line.split_once(": ")?;
            Some(Self { fault: Fault::named(name)?, script: script.parse().ok()? })
        };
        lines.map(|line| read(line).unwrap_or_else(|| panic!("no canary: {line}"))).collect()
    }

    /// Whether every fault that scripts can show should have one.
    pub fn is_due(fault: Fault) -> bool {
        !matches!(fault.suite(), FaultSuite::HostileFiles | FaultSuite::Repeats | FaultSuite::Oracle)
    }

    /// Whether the harness sees the fault. What else is planted on this thread stays so.
    pub fn is_seen(&self, world: &mut World) -> bool {
        fault::with(self.fault, || prove(&self.script, world)).is_err()
    }
}
