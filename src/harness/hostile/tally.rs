//! What many cases have come to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::judge::{Judged, Outcome};

/// Counts of cases, by what came of them; they add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many files.
    pub files: u64,
    /// How many of them SQLite read the header and the schema of.
    pub past_schema: u64,
    /// How many were served with bytes of rows that the damage had struck, which nobody could tell.
    pub struck_rows: u64,
    /// Sectors read and compared.
    pub sectors: u64,
    /// Files by what came of them.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Files by what was wrong with the layer.
    pub wrong: BTreeMap<&'static str, u64>,
    /// The longest that an opening took.
    pub slowest: Duration,
}

impl Tally {
    /// Counts a file that was judged.
    pub fn note(&mut self, judged: &Judged) {
        let is_served = matches!(judged.outcome, Outcome::Served | Outcome::ServedInPart);
        self.files += 1;
        self.past_schema += u64::from(judged.past_schema);
        self.struck_rows += u64::from(judged.struck_rows && is_served);
        self.sectors += judged.sectors;
        *self.outcomes.entry(judged.outcome).or_default() += 1;
        self.slowest = self.slowest.max(judged.slowest);
    }

    /// Counts a file that the layer did wrong with.
    pub fn note_wrong(&mut self, what: &'static str) {
        self.files += 1;
        *self.wrong.entry(what).or_default() += 1;
    }

    /// Adds what others have counted.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.past_schema += other.past_schema;
        self.struck_rows += other.struck_rows;
        self.sectors += other.sectors;
        other.outcomes.iter().for_each(|(outcome, count)| *self.outcomes.entry(*outcome).or_default() += count);
        other.wrong.iter().for_each(|(what, count)| *self.wrong.entry(what).or_default() += count);
        self.slowest = self.slowest.max(other.slowest);
    }
}
