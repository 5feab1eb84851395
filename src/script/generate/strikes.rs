//! What strikes the operations of a script, and where.

use super::Suite;
use crate::script::{Choices, Line, Op, Shape};
use crate::strike::{Cut, Failure, Lost, Span, Strike};

/// Operations with what strikes them, as the suite wants it.
pub(super) fn strike(suite: Suite, shape: &Shape, ops: Vec<Op>, choices: &mut impl Choices) -> Vec<Line> {
    let mut striker = Striker::new(suite, shape, choices);
    ops.into_iter().map(|op| striker.line(op, choices)).collect()
}

/// How often something strikes in a script, and what.
pub(super) struct Striker {
    suite: Suite,
    percent: u64,
    failure: Option<Failure>,
    /// An operation was to fail since the last cut.
    has_failed: bool,
}

impl Striker {
    pub(super) fn new(suite: Suite, shape: &Shape, choices: &mut impl Choices) -> Self {
        let percent = match suite {
            _ if !shape.can_be_struck() => 0,
            Suite::PowerCuts => choices.between(3, 20),
            Suite::FailingDrive => choices.between(5, 40),
            _ => 0,
        };
        // A strike that is always of one kind shows what a mixture hides.
        let failure = choices.percent(40).then(|| kind_of_failure(choices));
        Self { suite, percent, failure, has_failed: false }
    }

    pub(super) fn line(&mut self, op: Op, choices: &mut impl Choices) -> Line {
        // What a failure leaves on the drive shows when the power is cut, at once or after what seems to mend it.
        if self.has_failed && choices.percent(40) {
            self.has_failed = false;
            let strike = Strike::Cut(vec![Cut { after: 0, ..cut(choices) }]);
            return Line { turn: None, op, strike: Some(strike) };
        }
        let strikes = self.percent > 0 && choices.percent(self.percent);
        let strike = strikes.then(|| match self.suite {
            Suite::PowerCuts => cuts(choices),
            _ => Strike::Fail {
                call: call(choices),
                span: if choices.percent(35) { Span::Rest } else { Span::One },
                failure: self.failure.unwrap_or_else(|| kind_of_failure(choices)),
            },
        });
        self.has_failed |= matches!(strike, Some(Strike::Fail { .. }));
        Line { turn: None, op, strike }
    }
}

/// Few operations make many calls.
fn call(choices: &mut impl Choices) -> u32 {
    let most = choices.weighted(&[(4, 6), (3, 12), (2, 24)]);
    choices.between(1, most) as u32
}

fn kind_of_failure(choices: &mut impl Choices) -> Failure {
    Failure::ALL[choices.below(Failure::ALL.len() as u64) as usize].1
}

/// One cut, and now and then another while the disk is being opened.
fn cuts(choices: &mut impl Choices) -> Strike {
    let mut cuts = vec![cut(choices)];
    while cuts.len() < 3 && choices.percent(20) {
        cuts.push(cut(choices));
    }
    Strike::Cut(cuts)
}

fn cut(choices: &mut impl Choices) -> Cut {
    let most = choices.weighted(&[(3, 3), (4, 8), (2, 24)]);
    let after = choices.between(0, most) as u32;
    let lost = match choices.weighted(&[(2, 0), (4, 1), (6, 2)]) {
        0 => Lost::Nothing,
        1 => Lost::Everything,
        _ => Lost::Some(choices.below(1 << 16) as u32),
    };
    Cut { after, lost }
}
