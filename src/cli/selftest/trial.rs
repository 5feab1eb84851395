//! One fault, looked for with one seed.

use std::time::Instant;

use disklayer_sqlite::fault::Fault;
use disklayer_sqlite::harness::{Engine, Ground, Hunt};
use disklayer_sqlite::script::Bias;
use serde::Serialize;

use super::super::interrupt;
use super::{Generator, Selftest};

/// The plain generator gets at least so many scripts, and a multiple of those that the other one needed.
const UNIFORM_SCRIPTS: u64 = 1000;
const UNIFORM_TIMES: u64 = 4;

/// What came of it.
#[derive(Clone, Serialize)]
pub(super) struct Trial {
    pub(super) seed: u64,
    /// How many scripts (or files) were tried, the one that showed it included.
    pub(super) scripts: u64,
    /// `null` if it was not found.
    pub(super) found: Option<Found>,
    /// How many scripts of the plain generator it took; `null` if that did not find it, or was not asked.
    pub(super) uniform: Option<u64>,
}

#[derive(Clone, Serialize)]
pub(super) struct Found {
    /// What found it: a suite of the gate, or another engine.
    pub(super) by: String,
    pub(super) seconds: f64,
    /// How much of a script or a damaged file is left after shrinking.
    pub(super) lines: usize,
    /// Whether the shrunk script shows the same as the first, with the fault, and nothing without.
    pub(super) same: bool,
    /// The shrunk script, on one line.
    pub(super) script: String,
}

impl Trial {
    /// Looks for `fault`; nothing if interrupted.
    pub(super) fn run(fault: Fault, seed: u64, asked: &Selftest, ground: &mut Ground) -> Option<Self> {
        let budget = asked.scripts;
        let hunt = Hunt { fault, bias: Bias::Swarm, seed };
        let start = Instant::now();
        let mut trial = Self { seed, scripts: budget, found: None, uniform: None };
        for case in 0..budget {
            if interrupt::requested() {
                return None;
            }
            let Err((engine, shown)) = hunt.attempt(case, ground) else { continue };
            let seconds = start.elapsed().as_secs_f64();
            let shrunk = hunt.minimize(shown.clone(), ground);
            let same = shrunk.is_like(&shown) && shrunk.is_the_doing_of(fault, ground);
            let (lines, script) = (shrunk.lines(), shrunk.text());
            trial.scripts = case + 1;
            trial.found = Some(Found { by: name(engine), seconds, lines, same, script });
            break;
        }
        if asked.compare == Some(Generator::Uniform) {
            trial.uniform = trial.plainly(fault, budget, ground)?;
        }
        Some(trial)
    }

    fn plainly(&self, fault: Fault, budget: u64, ground: &mut Ground) -> Option<Option<u64>> {
        let hunt = Hunt { fault, bias: Bias::Uniform, seed: self.seed };
        let most = (self.scripts * UNIFORM_TIMES).max(UNIFORM_SCRIPTS).min(budget);
        for case in 0..most {
            if interrupt::requested() {
                return None;
            }
            if hunt.attempt(case, ground).is_err() {
                return Some(Some(case + 1));
            }
        }
        Some(None)
    }
}

fn name(engine: Engine) -> String {
    match engine {
        Engine::Scripts(suite) => super::super::gate::name(suite).to_owned(),
        Engine::Cuts => "every cut".to_owned(),
        Engine::Files => "hostile files".to_owned(),
        Engine::Repeats => "two runs".to_owned(),
        Engine::Canaries => "canaries".to_owned(),
    }
}
