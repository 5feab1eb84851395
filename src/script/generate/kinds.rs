//! Kinds of operations.

use super::{Bias, Choices, OpKind, Profile, Suite};

/// Which kinds of operation a script has, and how often.
pub(super) fn draw(profile: &Profile, choices: &mut impl Choices) -> Vec<(u64, OpKind)> {
    if profile.bias == Bias::Uniform {
        return OpKind::ALL.into_iter().map(|kind| (1, kind)).collect();
    }
    let (reopen, reshape) = match profile.suite {
        Suite::Layers | Suite::Stacks | Suite::Caches => (1, 0),
        Suite::Huge => (1, 2),
        Suite::Reopen => (14, 2),
        Suite::Reshape => (12, 9),
        Suite::PowerCuts | Suite::FailingDrive => (4, 6),
        Suite::Threads => (14, 1),
    };
    let optional = [
        (22, OpKind::Unmap),
        (6, OpKind::Fill),
        (if Suite::STRUCK.contains(&profile.suite) { 14 } else { 5 }, OpKind::Flush),
        (2, OpKind::Odd),
        (reopen, OpKind::Reopen),
        (reshape, OpKind::Push),
        (reshape, OpKind::Discard),
        (reshape, OpKind::Commit),
    ];
    let mut kinds = vec![(choices.between(20, 45), OpKind::Read), (choices.between(15, 40), OpKind::Write)];
    kinds.extend(optional.into_iter().filter(|(weight, _)| *weight > 0 && choices.percent(75)));
    kinds
}
