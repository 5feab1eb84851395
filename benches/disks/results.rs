//! What was measured, and the figures that come of it.

use serde::{Deserialize, Serialize};

use super::medium::Medium;
use super::systems;
use super::task::Sample;

#[derive(Serialize, Deserialize)]
pub(crate) struct Results {
    pub size: u64,
    pub operations: u64,
    pub rounds: u64,
    pub seed: u64,
    pub measurements: Vec<Measurement>,
    pub failures: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub medium: Medium,
    pub round: u64,
    pub system: String,
    pub workload: String,
    pub sample: Sample,
}

/// The median, and how far the rounds lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    /// Of these values; `None` if there are none.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 };
        Some(Self { low, median, high })
    }
}

impl Results {
    pub(crate) fn new(size: u64, operations: u64, rounds: u64, seed: u64) -> Self {
        Self { size, operations, rounds, seed, measurements: Vec::new(), failures: Vec::new() }
    }

    pub(crate) fn media(&self) -> Vec<Medium> {
        let all = [Medium::Disk, Medium::Tmpfs].into_iter();
        all.filter(|medium| self.measurements.iter().any(|measured| measured.medium == *medium)).collect()
    }

    /// The systems that were measured.
    pub(crate) fn systems(&self) -> Vec<&'static str> {
        let all = systems::NAMES.into_iter();
        all.filter(|name| self.measurements.iter().any(|measured| measured.system == *name)).collect()
    }

    fn rounds_of<'a>(
        &'a self,
        medium: Medium,
        workload: &'a str,
        system: &'a str,
    ) -> impl Iterator<Item = &'a Measurement> {
        self.measurements.iter().filter(move |measured| {
            measured.medium == medium && measured.workload == workload && measured.system == system
        })
    }

    /// A figure of the samples of one system.
    pub(crate) fn spread(
        &self,
        medium: Medium,
        workload: &str,
        system: &str,
        figure: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.rounds_of(medium, workload, system).filter_map(|measured| figure(&measured.sample)).collect())
    }

    /// How much faster `subject` is than `other`, in the same round.
    pub(crate) fn ratio(&self, medium: Medium, workload: &str, subject: &str, other: &str) -> Option<Spread> {
        let ratio = |ours: &Measurement| {
            let theirs = self.rounds_of(medium, workload, other).find(|theirs| theirs.round == ours.round)?;
            Some(theirs.sample.seconds / ours.sample.seconds)
        };
        Spread::of(self.rounds_of(medium, workload, subject).filter_map(ratio).collect())
    }
}
