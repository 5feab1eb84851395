//! What scripts have met together: how much of it is new says whether going on is worth the time.
//!
//! A feature is a pair of things that one script has met, each with how often it did, by powers of two up to 8. What is
//! met alone is soon all met; what is met together keeps telling for hours.

use serde::{Deserialize, Serialize};

use super::{Exercise, Sight};
use crate::script::{LayerKind, OpKind};

const LEVELS: usize = 4;
const COUNTERS: usize = OpKind::ALL.len() * KINDS + 1 + Sight::ALL.len();
const KINDS: usize = LayerKind::Own as usize + 1;
/// Things with how often they were met.
const THINGS: usize = COUNTERS * LEVELS;
const WORDS: usize = (THINGS * (THINGS + 1) / 2).div_ceil(64);

/// A set of features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Self(vec![0; WORDS])
    }
}

impl Coverage {
    /// Adds what one script has met.
    pub fn note(&mut self, exercise: &Exercise) {
        let ops = exercise.ops.iter().flatten().copied();
        let sights = Sight::ALL.iter().map(|&sight| exercise.seen(sight));
        let counts = ops.chain([exercise.refused]).chain(sights).enumerate();
        let things: Vec<usize> =
            counts.filter(|(_, times)| *times > 0).map(|(counter, times)| counter * LEVELS + level(times)).collect();
        for (nth, &one) in things.iter().enumerate() {
            // Counted up, so the other is never larger.
            for &other in &things[..=nth] {
                let feature = one * (one + 1) / 2 + other;
                self.0[feature / 64] |= 1 << (feature % 64);
            }
        }
    }

    /// Adds another set.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(to, from)| *to |= from);
    }

    /// How many features there are.
    pub fn features(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

fn level(times: u64) -> usize {
    (times.ilog2() as usize).min(LEVELS - 1)
}

/// As hexadecimal digits.
impl From<Coverage> for String {
    fn from(coverage: Coverage) -> Self {
        coverage.0.iter().map(|word| format!("{word:016x}")).collect()
    }
}

impl TryFrom<String> for Coverage {
    type Error = &'static str;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        let word = |at: usize| u64::from_str_radix(digits.get(at..at + 16)?, 16).ok();
        let words: Option<Vec<u64>> = (0..digits.len()).step_by(16).map(word).collect();
        match words {
            Some(words) if words.len() == WORDS => Ok(Self(words)),
            _ => Err("this is not the coverage of this version"),
        }
    }
}
