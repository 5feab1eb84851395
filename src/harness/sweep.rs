//! Every call that a script makes to its drive, failing in every way that there is.
//!
//! A script says which call a strike is for, and a drawn one strikes few of them. Here each call of each operation is
//! struck in a run of its own, which is judged as any other. How many calls there are is found out on the way: a
//! strike that finds no call any more was one too far.

use super::{Divergence, World, prove};
use crate::script::Script;
use crate::strike::{Failure, Span, Strike};

/// How many calls of one script, or of several, were struck.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Scripts.
    pub scripts: u64,
    /// Strikes that struck, by the kind of failure, in the order of [`Failure::ALL`].
    pub strikes: [u64; Failure::ALL.len()],
}

impl Swept {
    /// Adds what another script has told.
    pub fn add(&mut self, other: &Self) {
        self.scripts += other.scripts;
        self.strikes.iter_mut().zip(other.strikes).for_each(|(to, from)| *to += from);
    }

    /// Strikes of all kinds.
    pub fn total(&self) -> u64 {
        self.strikes.iter().sum()
    }
}

/// Strikes every call of every operation of `script`, alone and with all that follow, with every kind of failure.
///
/// # Errors
///
/// The first run that diverged, as a script with the strike on its line.
pub fn sweep(script: &Script, world: &mut World) -> Result<Swept, Box<Divergence>> {
    let mut swept = Swept::default();
    if !script.shape.can_be_struck() {
        return Ok(swept);
    }
    let calm = script.without_strikes();
    swept.scripts = 1;
    for index in 0..calm.lines.len() {
        for (strikes, (_, failure)) in swept.strikes.iter_mut().zip(Failure::ALL) {
            for span in [Span::One, Span::Rest] {
                *strikes += strike_each(&calm, index, span, failure, world)?;
            }
        }
    }
    Ok(swept)
}

/// Strikes one call of an operation after the other; how many there were.
fn strike_each(
    calm: &Script,
    index: usize,
    span: Span,
    failure: Failure,
    world: &mut World,
) -> Result<u64, Box<Divergence>> {
    let (mut script, mut call, mut strikes) = (calm.clone(), 1, 0);
    loop {
        script.lines[index].strike = Some(Strike::Fail { call, span, failure });
        prove(&script, world)?;
        // Calls that the failure does not fit are passed over.
        let Some(struck) = world.struck_at() else { return Ok(strikes) };
        strikes += 1;
        call = struck + 1;
    }
}
