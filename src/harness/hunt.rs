//! Looking for a planted fault, as the gate would look for a real one.
//!
//! A fault is hunted by the suites that are to find it. One of the oracle is hunted by all of them; and since an oracle
//! that permits too much lets everything pass, each script is followed by a [`Canary`], which the harness must still see.

use std::time::Duration;

use super::hostile::{Case, Finding, Yard};
use super::{Canary, Divergence, World, explore, minimize, prove};
use crate::error::Result;
use crate::fault::{self, Fault, FaultSuite};
use crate::script::{Bias, Profile, Script, SeedChoices, Suite};

/// A script of power cuts is short: what matters is in how many ways it ends.
const EXPLORED_OPS: u64 = 16;
const EXPLORED_STATES: u64 = 16;
/// So often a script is run again to see whether it tells the same.
const REPEATS: usize = 2;

/// Where faults are hunted.
pub struct Ground {
    world: World,
    yard: Yard,
    canaries: Vec<Canary>,
}

impl Ground {
    /// A new one.
    ///
    /// # Errors
    ///
    /// Those of making a directory.
    pub fn new() -> Result<Self> {
        Ok(Self { world: World::new(None)?, yard: Yard::new()?, canaries: Canary::all() })
    }

    /// Where scripts run.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }
}

/// What is looked for, and how.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// What is planted.
    pub fault: Fault,
    /// How scripts are drawn.
    pub bias: Bias,
    /// What scripts are drawn from.
    pub seed: u64,
}

/// What shows a fault.
#[derive(Clone, Debug)]
pub enum Shown {
    /// System and oracle differ.
    Script(Box<Divergence>),
    /// A file was not judged as it must be.
    File(Box<Finding>),
    /// Run twice, this script gave two traces.
    Twice(Box<Script>),
    /// The harness no longer sees what is planted beside the fault.
    Blind(Box<Canary>),
}

/// By what a fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A random script of this suite.
    Scripts(Suite),
    /// A script that was cut short at every moment.
    Cuts,
    /// A damaged file.
    Files,
    /// A script that was run twice.
    Repeats,
    /// A canary that was not seen.
    Canaries,
}

impl Hunt {
    /// The script of a case, and its suite; none where files are hunted with.
    pub fn script(&self, case: u64) -> Option<(Suite, Script)> {
        let suites: &[Suite] = match self.fault.suite() {
            FaultSuite::Scripts => &Suite::CALM,
            FaultSuite::PowerCuts | FaultSuite::Repeats => &Suite::STRUCK,
            FaultSuite::Threads => &[Suite::Threads],
            FaultSuite::Oracle => &Suite::ALL,
            FaultSuite::HostileFiles => return None,
        };
        let suite = suites[case as usize % suites.len()];
        let profile = Profile { bias: self.bias, ..Profile::new(suite) };
        Some((suite, Script::generate(&profile, &mut SeedChoices::new(self.seed, case))))
    }

    /// Tries a case with the fault in place.
    ///
    /// # Errors
    ///
    /// What shows the fault, and by what it was found.
    pub fn attempt(&self, case: u64, ground: &mut Ground) -> Result<(), (Engine, Shown)> {
        fault::with(self.fault, || self.run(case, ground))
    }

    /// Tries a case without the fault.
    ///
    /// # Errors
    ///
    /// What shows that something else is wrong.
    pub fn control(&self, case: u64, ground: &mut Ground) -> Result<(), (Engine, Shown)> {
        self.run(case, ground)
    }

    fn run(&self, case: u64, ground: &mut Ground) -> Result<(), (Engine, Shown)> {
        let Some((suite, script)) = self.script(case) else {
            let judged = judge(&Case::draw(self.seed, case), &mut ground.yard);
            return judged.map_err(|found| (Engine::Files, Shown::File(found)));
        };
        prove(&script, &mut ground.world).map_err(|found| (Engine::Scripts(suite), Shown::Script(found)))?;
        if self.fault.suite() == FaultSuite::Repeats {
            return match differs(&script, &mut ground.world) {
                true => Err((Engine::Repeats, Shown::Twice(Box::new(script)))),
                false => Ok(()),
            };
        }
        if matches!(suite, Suite::PowerCuts | Suite::FailingDrive) {
            let profile = Profile { bias: self.bias, max_ops: EXPLORED_OPS, ..Profile::new(Suite::PowerCuts) };
            let script = Script::generate(&profile, &mut SeedChoices::new(!self.seed, case));
            let explored = explore(&script, &mut ground.world, EXPLORED_STATES, case);
            explored.map_err(|found| (Engine::Cuts, Shown::Script(found)))?;
        }
        match self.fault.suite() {
            FaultSuite::Oracle => self.watch_a_canary(case, ground),
            _ => Ok(()),
        }
    }

    fn watch_a_canary(&self, case: u64, ground: &mut Ground) -> Result<(), (Engine, Shown)> {
        let canary = &ground.canaries[case as usize % ground.canaries.len()];
        match canary.is_seen(&mut ground.world) {
            true => Ok(()),
            false => Err((Engine::Canaries, Shown::Blind(Box::new(canary.clone())))),
        }
    }

    /// The simplest that shows the fault in the same way.
    pub fn minimize(&self, shown: Shown, ground: &mut Ground) -> Shown {
        fault::with(self.fault, || match shown {
            Shown::Script(found) => {
                Shown::Script(minimize(found, &mut |script| prove(script, &mut ground.world).map(drop)))
            }
            Shown::File(found) => Shown::File(found.minimize(&mut |case| judge(case, &mut ground.yard).err())),
            Shown::Twice(script) => Shown::Twice(Box::new(shorter(*script, &mut ground.world))),
            Shown::Blind(canary) => Shown::Blind(canary),
        })
    }
}

impl Shown {
    /// How much it takes to show it: operations of a script, or damages of a file.
    pub fn lines(&self) -> usize {
        match self {
            Self::Script(found) => found.script.lines.len(),
            Self::File(found) => found.case.damages.len(),
            Self::Twice(script) => script.lines.len(),
            Self::Blind(canary) => canary.script.lines.len(),
        }
    }

    /// One line that replays.
    pub fn text(&self) -> String {
        match self {
            Self::Script(found) => format!("{:?}", found.script),
            Self::File(found) => found.case.to_string().trim_end().replace('\n', "; "),
            Self::Twice(script) => format!("twice: {script:?}"),
            Self::Blind(canary) => format!("blind to {:?}: {:?}", canary.fault, canary.script),
        }
    }

    /// Whether it shows the same as another.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Script(one), Self::Script(other)) => one.signature() == other.signature(),
            (Self::File(one), Self::File(other)) => one.wrong.slug() == other.wrong.slug(),
            (Self::Twice(_), Self::Twice(_)) => true,
            (Self::Blind(one), Self::Blind(other)) => one.fault == other.fault,
            _ => false,
        }
    }

    /// Whether it shows that with `fault` in place, and nothing without.
    pub fn is_the_doing_of(&self, fault: Fault, ground: &mut Ground) -> bool {
        let again = |ground: &mut Ground| match self {
            Self::Script(found) => prove(&found.script, &mut ground.world).err().map(Self::Script),
            Self::File(found) => judge(&found.case, &mut ground.yard).err().map(Self::File),
            Self::Twice(script) => differs(script, &mut ground.world).then(|| self.clone()),
            Self::Blind(canary) => (!canary.is_seen(&mut ground.world)).then(|| Self::Blind(canary.clone())),
        };
        again(ground).is_none() && fault::with(fault, || again(ground)).is_some_and(|again| again.is_like(self))
    }
}

/// How long a file takes to open is not looked at here.
fn judge(case: &Case, yard: &mut Yard) -> Result<(), Box<Finding>> {
    yard.judge(case, &|| Duration::ZERO).map(drop)
}

/// Whether a script does not tell the same when it is run a few times.
fn differs(script: &Script, world: &mut World) -> bool {
    let mut run = || prove(script, world).ok();
    let first = run();
    (0..REPEATS).any(|_| run() != first)
}

/// What is left of a script when each line is gone without which it still gives two traces.
fn shorter(mut script: Script, world: &mut World) -> Script {
    for at in (0..script.lines.len()).rev() {
        let without = script.without_ops(at..at + 1);
        if differs(&without, world) {
            script = without;
        }
    }
    script
}
