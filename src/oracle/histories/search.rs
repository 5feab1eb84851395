//! Looking for an order of the changes, and for each sector for what it may have been through.

use std::collections::{BTreeSet, HashSet};

use super::{Column, Request, Seen};
use crate::fault::{Fault, planted};
use crate::oracle::{Cell, Oracle};
use crate::script::Op;

/// What one sector may have been through.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    column: Column,
    /// The reads of it that have taken place, a bit for each.
    done: u64,
}

/// A sector that tells orders apart.
struct Place {
    sector: u64,
    /// What is there before.
    column: Column,
    /// The reads of it.
    reads: u64,
    seen: Option<usize>,
}

/// An order that explains everything.
pub(super) struct Found {
    /// The changes, by the numbers of their requests.
    pub(super) order: Vec<usize>,
    /// The telling sectors, as they are in the end.
    pub(super) sectors: Vec<(u64, Column)>,
    /// How many times a change was tried as the next one.
    pub(super) begun: u64,
}

pub(super) struct Search<'a> {
    /// One sector at a time is put into it, and one operation done.
    bench: Oracle,
    requests: &'a [Request],
    after: &'a [Seen],
    places: Vec<Place>,
    /// For each request those that had returned when it was called.
    before: Vec<u64>,
    changes: u64,
    /// The changes in the order that is tried.
    path: Vec<usize>,
    begun: u64,
    /// Where no order goes on from: the changes so far, and the ways of each sector.
    dead_ends: HashSet<(u64, Vec<Vec<Way>>)>,
}

impl<'a> Search<'a> {
    pub(super) fn new(oracle: &Oracle, requests: &'a [Request], after: &'a [Seen]) -> Self {
        let mask = |is: &dyn Fn(&Request) -> bool| {
            (0..).zip(requests).filter(|(_, request)| is(request)).fold(0, |mask, (index, _)| mask | 1u64 << index)
        };
        let ops: Vec<Op> = requests.iter().map(|request| request.op).collect();
        let sectors: BTreeSet<u64> =
            oracle.telling_sectors(&ops).into_iter().chain(after.iter().map(|seen| seen.sector)).collect();
        let place = |sector| Place {
            sector,
            column: oracle.column(sector),
            reads: mask(&|request| request.is_read() && request.covers(sector)),
            seen: match planted(Fault::OracleIgnoresTheEnd) {
                false => after.iter().position(|seen| seen.sector == sector),
                true => None,
            },
        };
        Self {
            bench: oracle.clone(),
            requests,
            after,
            places: sectors.into_iter().map(place).collect(),
            before: requests.iter().map(|late| mask(&|early| is_before(early, late))).collect(),
            changes: mask(&Request::is_change),
            path: Vec::new(),
            begun: 0,
            dead_ends: HashSet::new(),
        }
    }

    pub(super) fn run(mut self) -> Option<Found> {
        let start: Vec<_> =
            self.places.iter().map(|place| vec![Way { column: place.column.clone(), done: 0 }]).collect();
        let columns = self.order(0, start)?;
        let sectors = self.places.iter().map(|place| place.sector).zip(columns).collect();
        Some(Found { order: self.path, sectors, begun: self.begun })
    }

    /// Goes on from where the changes `made` are made; the sectors of an order that explains everything.
    fn order(&mut self, made: u64, mut possible: Vec<Vec<Way>>) -> Option<Vec<Column>> {
        for (place, ways) in possible.iter_mut().enumerate() {
            self.read(place, made, ways);
        }
        if made == self.changes {
            return possible.iter().enumerate().map(|(place, ways)| self.end(place, ways)).collect();
        }
        if self.dead_ends.contains(&(made, possible.clone())) {
            return None;
        }
        for change in 0..self.requests.len() {
            let bit = 1 << change;
            let is_next = self.changes & !made & bit != 0 && self.before[change] & self.changes & !made == 0;
            if !is_next {
                continue;
            }
            self.begun += 1;
            let Some(changed) = self.change(change, &possible) else { continue };
            self.path.push(change);
            if let Some(found) = self.order(made | bit, changed) {
                return Some(found);
            }
            self.path.pop();
        }
        self.dead_ends.insert((made, possible));
        None
    }

    /// Makes a change in every sector, unless one has no way to get there.
    fn change(&mut self, change: usize, possible: &[Vec<Way>]) -> Option<Vec<Vec<Way>>> {
        let mut changed = Vec::with_capacity(possible.len());
        for (place, ways) in possible.iter().enumerate() {
            let overdue = self.before[change] & self.places[place].reads;
            let mut next: Vec<Way> = Vec::new();
            for way in ways.iter().filter(|way| overdue & !way.done == 0) {
                let column = match self.requests[change].covers(self.places[place].sector) {
                    true => self.apply(place, self.requests[change].op, &way.column, &mut []).0,
                    false => way.column.clone(),
                };
                let way = Way { column, done: way.done };
                if !next.contains(&way) {
                    next.push(way);
                }
            }
            if next.is_empty() {
                return None;
            }
            changed.push(next);
        }
        Some(changed)
    }

    /// Adds what comes of each read of a sector that may take place now.
    fn read(&mut self, place: usize, made: u64, ways: &mut Vec<Way>) {
        let mut at = 0;
        while let Some(way) = ways.get(at).cloned() {
            at += 1;
            for read in 0..self.requests.len() {
                let others = self.changes | self.places[place].reads;
                let may_be_now = self.places[place].reads & !way.done & 1 << read != 0
                    && self.before[read] & others & !(made | way.done) == 0;
                if !may_be_now {
                    continue;
                }
                if let Some(column) = self.found(place, read, &way.column) {
                    let way = Way { column, done: way.done | 1 << read };
                    if !ways.contains(&way) {
                        ways.push(way);
                    }
                }
            }
        }
    }

    /// The sector after a read of it, if that finds there what it has found.
    fn found(&mut self, place: usize, read: usize, column: &Column) -> Option<Column> {
        let (request, sector) = (&self.requests[read], self.places[place].sector);
        let size = self.bench.sector_size as usize;
        let nth = (sector - request.op.range()?.0) as usize;
        let mut buf = vec![request.poison; size];
        let (column, present) = self.apply(place, request.op.with_range(sector, 1), column, &mut buf);
        let same = buf == request.bytes[nth * size..][..size]
            && present == request.present.as_ref().map(|present| present[nth]);
        same.then_some(column)
    }

    /// Does `op` with a sector; for a read of a layer, whether it is present.
    fn apply(&mut self, place: usize, op: Op, column: &Column, buf: &mut [u8]) -> (Column, Option<bool>) {
        let sector = self.places[place].sector;
        self.bench.layers.iter_mut().for_each(|layer| layer.sectors.clear());
        self.bench.set_column(sector, column);
        let prediction = self.bench.apply(&op, buf);
        (self.bench.column(sector), prediction.present.map(|present| present[0]))
    }

    /// A way that ends with what was seen.
    fn end(&self, place: usize, ways: &[Way]) -> Option<Column> {
        let Place { sector, reads, seen, .. } = self.places[place];
        let mut buf = vec![0; self.bench.sector_size as usize];
        let mut holds = |cell: Option<Cell>, bytes: Option<&Vec<u8>>| match (cell, bytes) {
            (Some(cell), Some(bytes)) => {
                self.bench.render(cell, sector, &mut buf);
                buf == *bytes
            }
            (cell, bytes) => cell.is_none() && bytes.is_none(),
        };
        let mut ends = |way: &&Way| {
            let layers = seen.map(|seen| &self.after[seen].layers);
            let mut cells = way.column.iter().enumerate();
            way.done == reads
                && layers
                    .is_none_or(|layers| cells.all(|(at, &cell)| holds(cell, layers.get(at).and_then(Option::as_ref))))
        };
        ways.iter().find(|way| ends(way)).map(|way| way.column.clone())
    }
}

fn is_before(early: &Request, late: &Request) -> bool {
    early.returned < late.called && !planted(Fault::OracleTakesAnyOrder)
}
