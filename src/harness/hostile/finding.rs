//! What is wrong with the layer: the case, what it showed, and a shorter case that shows the same.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::judge::Outcome;
use super::original::Kind;
use super::text::Case;
use crate::layer::{Effect, Mode};

/// What the layer did that it must not.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each line says what its fields are")]
pub enum Wrong {
    /// It panicked.
    Panic(String),
    /// Opening took longer than a second.
    Slow(Duration),
    /// An error of a kind that does not say what the file is.
    Kind(String),
    /// A file that was refused, or only read, is not what it was.
    Changed(String),
    /// A sector shows something that was never there.
    Data { sector: u64, shown: String, may: Vec<String> },
    /// Sectors are said to be present that are not.
    Extent(Range<u64>),
    /// Size, identity or parent are not what the file says.
    Metadata(String),
    /// Served where it must be refused, or the other way round.
    Outcome { must: Option<Effect>, outcome: Outcome },
    /// A change that was refused shows, or one that was acknowledged does not.
    Change { what: String, sector: u64, shown: String, must: String },
    /// Reader and writer do not see the same.
    Disagreement { reader: Outcome, writer: Outcome },
}

/// A case and what it showed.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was done to the file.
    pub case: Case,
    /// How it was opened.
    pub mode: Mode,
    /// What came of it.
    pub wrong: Wrong,
}

impl Wrong {
    /// The kind of it, in a word.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Panic(_) => "panic",
            Self::Slow(_) => "slow",
            Self::Kind(_) => "error-kind",
            Self::Changed(_) => "changed",
            Self::Data { .. } | Self::Extent(_) => "data",
            Self::Metadata(_) => "metadata",
            Self::Outcome { .. } => "outcome",
            Self::Change { .. } => "change",
            Self::Disagreement { .. } => "disagreement",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(words) => write!(f, "it panicked: {words}"),
            Self::Slow(time) => write!(f, "opening took {time:?}"),
            Self::Kind(error) => write!(f, "an error that does not say what the file is: {error}"),
            Self::Changed(why) => write!(f, "the file was changed: {why}"),
            Self::Data { sector, shown, may } => {
                let may = if may.is_empty() { "absent".to_owned() } else { may.join(" or ") };
                write!(f, "sector {sector} shows {shown}, and may show {may}")
            }
            Self::Extent(range) => write!(f, "sectors {range:?} are said to be present, and are not"),
            Self::Metadata(what) => write!(f, "it says of itself {what}"),
            Self::Outcome { must: None, outcome } => write!(f, "a sound file was {outcome:?}"),
            Self::Outcome { must: Some(effect), outcome } => write!(f, "{outcome:?}, where it must be {effect:?}"),
            Self::Change { what, sector, shown, must } => {
                write!(f, "after {what} sector {sector} shows {shown}, and must show {must}")
            }
            Self::Disagreement { reader, writer } => write!(f, "{reader:?} for a reader, {writer:?} for a writer"),
        }
    }
}

/// The text of the case, with its story at the head.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::ReadWrite => "writing",
            Mode::ReadOnly => "reading",
        };
        writeln!(f, "# Opened for {mode}: {}", self.wrong.to_string().replace('\n', " "))?;
        write!(f, "{}", self.case)
    }
}

impl Finding {
    /// The shortest case found that shows the same kind of thing; `judge` judges one.
    pub fn minimize(self: Box<Self>, judge: &mut dyn FnMut(&Case) -> Option<Box<Self>>) -> Box<Self> {
        let mut least = self;
        while let Some(less) = simpler(&least.case)
            .iter()
            .find_map(|case| judge(case).filter(|found| found.wrong.slug() == least.wrong.slug()))
        {
            least = less;
        }
        least
    }
}

/// Cases that are simpler, the most promising first.
fn simpler(case: &Case) -> Vec<Case> {
    let mut simpler = Vec::new();
    for skipped in 0..case.damages.len() {
        let kept = case.damages.iter().enumerate().filter(|(n, _)| *n != skipped);
        simpler.push(Case { recipe: case.recipe, damages: kept.map(|(_, damage)| *damage).collect() });
    }
    let recipe = case.recipe;
    for flushes in [0, 1, recipe.flushes / 2].into_iter().filter(|flushes| *flushes < recipe.flushes) {
        simpler.push(Case { recipe: super::Recipe { flushes, ..recipe }, ..case.clone() });
    }
    if recipe.kind == Kind::Child {
        simpler.push(Case { recipe: super::Recipe { kind: Kind::Whole, ..recipe }, ..case.clone() });
    }
    if recipe.sector_count > 1 {
        simpler
            .push(Case { recipe: super::Recipe { sector_count: recipe.sector_count / 2, ..recipe }, ..case.clone() });
    }
    simpler
}
