//! Somebody's own disk after a cut or a failure: which sectors, or which states, there may be is said by what it
//! [keeps](Keeps).

use std::sync::Arc;

use super::{History, State, When};
use crate::oracle::extents::pieces;
use crate::oracle::{Cell, Oracle};
use crate::script::{LayerKind, Op};
use crate::strike::Keeps;

/// Sectors that were read, by the first of them.
type Run = (u64, Vec<u8>);

/// Why a disk cannot be what was found.
#[derive(Debug)]
pub struct Stranger {
    /// A sector that tells.
    pub sector: u64,
    /// What it tells, in a sentence.
    pub what: String,
}

impl State {
    /// What a sector may hold in this state.
    fn cells(&self, sector: u64) -> impl Iterator<Item = Cell> + '_ {
        let loose = self.loose.get(sector);
        let settled = if loose.is_none() { self.sectors.get(sector) } else { None };
        loose.into_iter().flatten().copied().chain(settled)
    }
}

impl Oracle {
    /// Takes what was `found` on somebody's own disk for what is now; in how many states it might have been.
    ///
    /// # Errors
    ///
    /// Why it cannot be that.
    pub fn survive(&mut self, index: usize, when: When, found: &[Run]) -> Result<u64, Stranger> {
        let Some(chronicle) = &mut self.chronicle else { return Ok(1) };
        let history = &mut chronicle.layers[index];
        if matches!(when, When::After | When::Now) {
            history.keep_promise();
        }
        let permitted: Vec<usize> = history.permitted(when).collect();
        match self.own_keeps {
            Keeps::EachSector => self.survive_each(index, &permitted, found)?,
            Keeps::Prefix => {
                let at = self.survive_prefix(index, &permitted, found)?;
                // Of a disk that goes on, what has failed is not seen, and may be there when it is opened again (rule 5).
                let goes_on = matches!(when, When::Since | When::Now);
                if let (false, Some(chronicle)) = (goes_on, &mut self.chronicle) {
                    chronicle.layers[index].forget_after(at);
                }
            }
        }
        found.iter().for_each(|(first, bytes)| self.settle(*first, bytes));
        self.mark(index);
        if let Some(chronicle) = &mut self.chronicle {
            let history = &mut chronicle.layers[index];
            history.begun = history.states.len() - 1;
        }
        Ok(permitted.len() as u64)
    }

    /// Each sector is as in one of the states, whatever the others are.
    fn survive_each(&mut self, index: usize, permitted: &[usize], found: &[Run]) -> Result<(), Stranger> {
        let states = self.states(index, permitted);
        let borders = states.iter().flat_map(|state| state.sectors.borders().chain(state.loose.borders()));
        for piece in pieces(0..self.sector_count(index), borders) {
            let mut cells = Vec::new();
            for cell in states.iter().rev().flat_map(|state| state.cells(piece.start)) {
                if !cells.contains(&cell) {
                    cells.push(cell);
                }
            }
            self.layers[index].sectors.set(piece.clone(), cells.first().copied());
            match cells.len() {
                1 => self.loose.settle(piece),
                _ => self.loose.set(piece, cells),
            }
        }
        match self.first_stranger(index, found) {
            Some(sector) => {
                let what = format!("sector {sector} has bytes that it had neither at the last flush nor since");
                Err(Stranger { sector, what })
            }
            None => Ok(()),
        }
    }

    /// All of it is as in one of the states, the latest that it can be; in which.
    fn survive_prefix(&mut self, index: usize, permitted: &[usize], found: &[Run]) -> Result<usize, Stranger> {
        let mut first = 0;
        for (&at, state) in permitted.iter().zip(self.states(index, permitted)).rev() {
            (self.layers[index].sectors, self.loose) = (state.sectors.clone(), state.loose.clone());
            match self.first_stranger(index, found) {
                None => return Ok(at),
                Some(sector) if Some(&at) == permitted.last() => first = sector,
                Some(_) => {}
            }
        }
        let states = match permitted.len() {
            1 => "the one state".to_owned(),
            count => format!("one of the {count} states"),
        };
        let what =
            format!("it is not in {states} that it may be in: from the latest it differs first in sector {first}");
        Err(Stranger { sector: first, what })
    }

    fn states(&self, index: usize, numbers: &[usize]) -> Vec<Arc<State>> {
        let history = self.chronicle.iter().flat_map(|chronicle| chronicle.layers.get(index));
        history.flat_map(|history| numbers.iter().map(|&at| history.states[at].clone())).collect()
    }

    /// The first of the sectors that were found which does not hold what it holds now, or may hold.
    fn first_stranger(&self, index: usize, found: &[Run]) -> Option<u64> {
        let size = self.sector_size as usize;
        let sectors = found.iter().flat_map(|(first, bytes)| (*first..).zip(bytes.chunks_exact(size)));
        let is_strange = |&(sector, actual): &(u64, &[u8])| {
            let settled = self.layers[index].sectors.get(sector);
            let cells = self.loose.get(sector).unwrap_or(settled.as_slice());
            self.one_of(cells, sector, actual).is_none()
        };
        sectors.into_iter().find(is_strange).map(|(sector, _)| sector)
    }

    /// Whether this is somebody's own disk of which a FUA write makes nothing durable but itself.
    pub(super) fn keeps_each_sector(&self) -> bool {
        self.own_keeps == Keeps::EachSector && self.layers.iter().all(|layer| layer.shape.kind == LayerKind::Own)
    }

    /// The sectors of a FUA write are durable when it returns.
    pub(super) fn promise_sectors(&mut self, op: &Op) {
        let Some(chronicle) = &mut self.chronicle else { return };
        let durable = op.content().zip(op.range());
        let durable = durable.map(|(content, (sector, count))| (sector..sector + count, Cell::Said(content)));
        chronicle.layers.iter_mut().for_each(|history| history.durable.clone_from(&durable));
    }
}

impl History {
    /// What was open in a sector has been seen.
    pub(super) fn settle(&mut self, sector: u64, cell: Cell) {
        if let Some(state) = self.states.last_mut().map(Arc::make_mut) {
            state.sectors.set(sector..sector + 1, Some(cell));
            state.loose.settle(sector..sector + 1);
        }
    }

    /// What a FUA write has made durable can no longer be what it was before.
    pub(super) fn keep_promise(&mut self) {
        let Some((range, cell)) = self.durable.take() else { return };
        for state in &mut self.states {
            let state = Arc::make_mut(state);
            state.sectors.set(range.clone(), Some(cell));
            state.loose.settle(range.clone());
        }
    }

    /// It was found in state `at`, so what came later has never been.
    fn forget_after(&mut self, at: usize) {
        self.states.truncate(at + 1);
        self.floor = self.floor.min(at);
        self.floor_during = self.floor_during.min(at);
    }
}
