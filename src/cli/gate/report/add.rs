//! Reports of parts, summed: what they counted, and what they found, each kind once.

use std::collections::BTreeMap;

use super::{Counts, End, FailingDrive, OpsByLayer, PowerCuts, Report, Seen, Spreads, Threads};
use crate::cli::gate::findings::Finding;
use crate::cli::gate::kills::Kills;

impl Report {
    /// Adds the counts and findings of another part of the same scripts. What follows from them has to be judged anew.
    pub(in super::super::super) fn add(&mut self, other: Self) {
        let trace = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        if other.end != End::Whole {
            self.end = other.end;
        }
        self.trace = format!("{:016x}", trace(&self.trace).wrapping_add(trace(&other.trace)));
        self.seconds += other.seconds;
        self.total.add(&other.total);
        self.suites.iter_mut().zip(&other.suites).for_each(|(to, from)| to.add(from));
        self.operations_by_layer.iter_mut().zip(&other.operations_by_layer).for_each(|(to, from)| to.add(from));
        self.power_cuts.add(&other.power_cuts);
        self.failing_drive.add(&other.failing_drive);
        self.spreads.add(&other.spreads);
        self.threads.add(&other.threads);
        self.sights
            .iter_mut()
            .zip(&other.sights)
            .for_each(|(to, Seen { count, .. })| to.count = to.count.saturating_add(*count));
        self.coverage.add(&other.coverage);
        self.repeats.add(&other.repeats);
        other.findings.into_iter().for_each(|finding| self.find(finding));
        self.kills = match (self.kills.take(), other.kills) {
            (Some(mut kills), Some(more)) => {
                kills.add(more);
                Some(kills)
            }
            (kills, more) => kills.or(more),
        };
    }

    fn find(&mut self, finding: Finding) {
        match self.findings.iter_mut().find(|known| known.differs == finding.differs) {
            Some(known) => known.times = known.times.saturating_add(finding.times),
            None => self.findings.push(finding),
        }
    }
}

fn sum<K: Clone + Ord>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    from.iter().for_each(|(key, times)| {
        let sum = to.entry(key.clone()).or_default();
        *sum = sum.saturating_add(*times);
    });
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.scripts = self.scripts.saturating_add(other.scripts);
        self.operations = self.operations.saturating_add(other.operations);
        self.refusals = self.refusals.saturating_add(other.refusals);
        self.sectors_compared = self.sectors_compared.saturating_add(other.sectors_compared);
        self.divergences = self.divergences.saturating_add(other.divergences);
    }
}

impl OpsByLayer {
    fn add(&mut self, other: &Self) {
        sum(&mut self.layers, &other.layers);
    }
}

impl PowerCuts {
    fn add(&mut self, other: &Self) {
        self.scripts = self.scripts.saturating_add(other.scripts);
        self.states = self.states.saturating_add(other.states);
        self.busy = self.busy.saturating_add(other.busy);
        self.deep = self.deep.saturating_add(other.deep);
        sum(&mut self.permitted, &other.permitted);
    }
}

impl FailingDrive {
    fn add(&mut self, other: &Self) {
        self.scripts = self.scripts.saturating_add(other.scripts);
        sum(&mut self.strikes, &other.strikes);
    }
}

impl Spreads {
    fn add(&mut self, other: &Self) {
        sum(&mut self.stack_depth, &other.stack_depth);
        sum(&mut self.disk_sectors, &other.disk_sectors);
        sum(&mut self.request_sectors, &other.request_sectors);
    }
}

impl Threads {
    fn add(&mut self, other: &Self) {
        self.groups = self.groups.saturating_add(other.groups);
        self.overlapped = self.overlapped.saturating_add(other.overlapped);
        self.raced = self.raced.saturating_add(other.raced);
        self.switches = self.switches.saturating_add(other.switches);
        self.orders = self.orders.saturating_add(other.orders);
    }
}

impl Kills {
    fn add(&mut self, other: Self) {
        self.kills = self.kills.saturating_add(other.kills);
        self.midway = self.midway.saturating_add(other.midway);
        self.opening = self.opening.saturating_add(other.opening);
        self.states_permitted = self.states_permitted.saturating_add(other.states_permitted);
        self.shortened = self.shortened.saturating_add(other.shortened);
        self.findings.extend(other.findings);
    }
}
