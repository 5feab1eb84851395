//! Scripts whose every line is decided on its own.

use super::strikes::Striker;
use super::{Author, Profile, shape};
use crate::script::{Choices, Line, Script, Shape};

/// What an operation is decided by, and what strikes it.
pub struct LineChoices<C> {
    /// The operation.
    pub op: C,
    /// Whether something strikes it, and what.
    pub strike: C,
}

impl Shape {
    /// A stack as `profile` wants it.
    pub fn generate(profile: &Profile, choices: &mut impl Choices) -> Self {
        shape::generate(profile, choices)
    }
}

impl Script {
    /// Lines as [`Script::generate`] makes them, but for the source of its decisions: `habits` decides what the script
    /// likes, and each of `lines` one operation. What is taken out of `lines` takes one operation out, and the others stay
    /// what they are as far as they do not follow from it.
    ///
    /// `Suite::Threads` has no operations of several threads here.
    pub fn generate_each<C: Choices>(
        profile: &Profile,
        shape: &Shape,
        habits: &mut C,
        lines: impl IntoIterator<Item = LineChoices<C>>,
    ) -> Vec<Line> {
        let mut author = Author::new(profile, shape, habits);
        let mut striker = Striker::new(profile.suite, shape, habits);
        let line = |mut choices: LineChoices<C>| striker.line(author.op(&mut choices.op), &mut choices.strike);
        lines.into_iter().map(line).collect()
    }
}
