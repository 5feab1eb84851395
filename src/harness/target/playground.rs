//! Where inputs run, one after another.

use std::time::Duration;

use super::{Finding, Input, Target, text};
use crate::error::Result;
use crate::harness::hostile::Yard;
use crate::harness::{World, prove};

/// A place for inputs. Scripts leave no file, whatever ends the process; hostile files need a directory, which goes with
/// this value.
pub struct Playground {
    world: World,
    yard: Option<Yard>,
    clock: fn() -> Duration,
}

impl Playground {
    /// A place of which `clock` says what time it is.
    pub fn new(clock: fn() -> Duration) -> Self {
        Self { world: World::in_memory(), yard: None, clock }
    }

    /// What `bytes` show, taken for an input of `target`.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn run(&mut self, target: Target, bytes: &[u8]) -> Result<(), Finding> {
        self.run_input(&target.decode(bytes))
    }

    /// The same of an input.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn run_input(&mut self, input: &Input) -> Result<(), Finding> {
        match input {
            Input::Script(script) => prove(script, &mut self.world).map(drop).map_err(Finding::Divergence),
            Input::Case(case) => {
                let clock = self.clock;
                self.yard().judge(case, &clock).map(drop).map_err(Finding::Hostile)
            }
            Input::File(bytes) => {
                let clock = self.clock;
                let judged = self.yard().judge_stranger(bytes, &clock);
                judged.map(drop).map_err(|(mode, wrong)| Finding::File { mode, wrong })
            }
            Input::ScriptText(text) => text::script(text),
            Input::Description(text) => text::description(text),
        }
    }

    fn yard(&mut self) -> &mut Yard {
        self.yard.get_or_insert_with(|| Yard::new().unwrap_or_else(|e| panic!("a directory for hostile files: {e}")))
    }
}
