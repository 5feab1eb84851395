//! What histories of several threads permit (rule 23).
//!
//! Changes take effect whole, at one instant between call and return, so there is an order of them. A read sees each of
//! its sectors at some such instant, each at its own, and what it keeps in caches is kept at that instant. So every
//! order of the changes that agrees with the calls and returns is tried, and for each sector everything that it and the
//! reads of it can have been through; an order in which some sector has no way left is given up. A history without any
//! way is a divergence, and no other one is.

use std::collections::BTreeSet;

use super::{Cell, Oracle};
use crate::request::Durability;
use crate::script::{Op, OpKind};

mod search;

use search::Search;

/// A request that was done, as it was seen from outside.
#[derive(Clone, Debug)]
pub struct Request {
    /// What was asked.
    pub op: Op,
    /// When it was called, on a clock that all threads share.
    pub called: u64,
    /// When it returned.
    pub returned: u64,
    /// The buffer of a read, afterwards.
    pub bytes: Vec<u8>,
    /// What that was full of before.
    pub poison: u8,
    /// For a read of one layer: which of the sectors it marked present.
    pub present: Option<Vec<bool>>,
}

/// What lies in a sector when all requests have returned: its bytes on each layer, if it is present there.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which sector.
    pub sector: u64,
    /// Its bytes, layer by layer from the top.
    pub layers: Vec<Option<Vec<u8>>>,
}

/// Why a history is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unexplained {
    /// What this read has found does not go together with the rest.
    Read(usize),
    /// What several reads have found does not go together.
    Reads,
    /// What lies in this sector afterwards does not go together with what the reads have found.
    Sector(u64),
    /// What lies in several sectors does not go together.
    Sectors,
}

impl Request {
    /// Whether the two were under way at the same time.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.called < other.returned && other.called < self.returned
    }

    /// Whether one of the two changes sectors that the other reads or changes.
    pub fn races_with(&self, other: &Self) -> bool {
        let meet = match (self.op.range(), other.op.range()) {
            (Some((a, count)), Some((b, _))) if a <= b => b - a < count,
            (Some((a, _)), Some((b, count))) => a - b < count,
            _ => true,
        };
        let works = |request: &Self| request.is_read() || request.is_change();
        meet && works(self) && works(other) && (self.is_change() || other.is_change())
    }

    fn is_read(&self) -> bool {
        self.op.kind() == OpKind::Read
    }

    fn is_change(&self) -> bool {
        match self.op.kind() {
            OpKind::Write | OpKind::Fill | OpKind::Unmap => self.op.range().is_some_and(|(_, count)| count > 0),
            OpKind::Commit => true,
            _ => false,
        }
    }

    /// Whether it has returned and says that what was acknowledged before it is durable.
    fn promises(&self) -> bool {
        let durable = match self.op {
            Op::Flush { .. } => true,
            Op::Write { durability, count, .. } => durability == Durability::Fua && count > 0,
            _ => false,
        };
        durable && self.returned < u64::MAX
    }

    fn covers(&self, at: u64) -> bool {
        self.op.range().is_none_or(|(sector, count)| sector <= at && at - sector < count)
    }
}

impl Oracle {
    /// The sectors in which orders of `ops` can differ: each that is read, and one for each stretch of the others that
    /// `ops` and layers treat alike.
    pub fn telling_sectors(&self, ops: &[Op]) -> Vec<u64> {
        let inside = |op: &&Op| op.range().is_some_and(|(sector, count)| sector.checked_add(count).is_some());
        let mut telling = BTreeSet::from([0]);
        for op in ops.iter().filter(inside) {
            let (sector, count) = op.range().unwrap_or_default();
            match op.kind() {
                OpKind::Read => telling.extend(sector..=sector + count),
                _ => telling.extend([sector, sector + count]),
            }
        }
        for index in 0..self.layers.len() {
            telling.insert(self.visible(index));
            telling.extend(self.layers[index].sectors.iter().flat_map(|(extent, _)| [extent.start, extent.end]));
        }
        let size = self.layers.iter().map(|layer| layer.shape.sector_count).max().unwrap_or(0);
        telling.range(..size).copied().collect()
    }

    /// Looks for an order of `requests`, all of them done, that explains what the reads have found and what lies in the
    /// sectors of `after`; the oracle is then in its state. How many orders were begun.
    ///
    /// # Errors
    ///
    /// That there is none; the oracle has not changed.
    pub fn explain(&mut self, requests: &[Request], after: &[Seen]) -> Result<u64, Unexplained> {
        let found = Search::new(self, requests, after).run().ok_or_else(|| self.blame(requests, after))?;
        for &change in &found.order {
            self.apply(&requests[change].op, &mut []);
        }
        found.sectors.iter().for_each(|(sector, column)| self.set_column(*sector, column));
        Ok(found.begun)
    }

    /// What to name, when nothing explains it all.
    fn blame(&self, requests: &[Request], after: &[Seen]) -> Unexplained {
        let explains = |requests: &[Request], after: &[Seen]| Search::new(self, requests, after).run().is_some();
        if explains(requests, &[]) {
            let sector = after.iter().find(|seen| !explains(requests, std::slice::from_ref(seen)));
            return sector.map_or(Unexplained::Sectors, |seen| Unexplained::Sector(seen.sector));
        }
        let without = |gone: usize| {
            let mut rest = requests.to_vec();
            rest.remove(gone);
            explains(&rest, &[])
        };
        let reads = (0..requests.len()).filter(|&index| requests[index].is_read());
        reads.rev().find(|&read| without(read)).map_or(Unexplained::Reads, Unexplained::Read)
    }

    /// Whether a power cut may leave what is `seen` of requests of several threads (rules 15 and 16): the changes of
    /// some prefix of some order that they may have taken effect in, with all that a flush or a FUA write promised when
    /// it returned. Requests that had not returned by then have `u64::MAX` for that; all before them is durable.
    pub fn permits_cut(&self, requests: &[Request], seen: &[Seen]) -> bool {
        let changes: Vec<&Request> = requests.iter().filter(|request| request.is_change()).collect();
        let bits = |is: &dyn Fn(&Request) -> bool| {
            (0..).zip(&changes).filter(|(_, change)| is(change)).fold(0u64, |bits, (nth, _)| bits | 1 << nth)
        };
        let promises = requests.iter().filter(|request| request.promises());
        let promised = promises
            .fold(0, |all, flush| all | bits(&|change| change.returned < flush.called || std::ptr::eq(change, flush)));
        let before: Vec<u64> = changes.iter().map(|late| bits(&|early| early.returned < late.called)).collect();
        let is_prefix = |kept: &u64| {
            let closed = |nth: usize| kept & 1 << nth == 0 || before[nth] & !kept == 0;
            promised & !kept == 0 && (0..changes.len()).all(closed)
        };
        (0..1u64 << changes.len()).filter(is_prefix).any(|kept| {
            let kept = (0..changes.len()).filter(|nth| kept & 1 << nth != 0);
            let kept: Vec<Request> = kept.map(|nth| changes[nth].clone()).collect();
            Search::new(self, &kept, seen).run().is_some()
        })
    }

    fn column(&self, sector: u64) -> Column {
        self.layers.iter().map(|layer| layer.sectors.get(sector)).collect()
    }

    fn set_column(&mut self, sector: u64, column: &Column) {
        for (layer, cell) in self.layers.iter_mut().zip(column) {
            layer.sectors.set(sector..sector + 1, *cell);
        }
    }
}

/// A sector on each layer.
type Column = Vec<Option<Cell>>;
