//! Judging what survived a cut or a failure, and going on from there.

use super::{Found, PIECE, State, Survivor, When, hash};
use crate::fault::{Fault, planted};
use crate::oracle::extents::Extents;
use crate::oracle::{Cell, Oracle, ZEROS};
use crate::script::{Content, LayerKind};

impl Oracle {
    /// How many states layer `index` may be in.
    pub fn permitted(&self, index: usize, when: When) -> usize {
        self.chronicle.as_ref().map_or(0, |chronicle| {
            let history = &chronicle.layers[index];
            let mut hashes: Vec<_> = history.permitted(when).map(|at| history.states[at].hash).collect();
            hashes.sort_unstable();
            hashes.dedup();
            hashes.len()
        })
    }

    /// The states in which layer `index` may be, and which hold what survived; the latest first.
    pub fn recognise(&mut self, index: usize, when: When, survivor: &Survivor<'_>) -> Vec<usize> {
        self.leave_out_fills(index, survivor);
        let Some(chronicle) = &self.chronicle else { return Vec::new() };
        let history = &chronicle.layers[index];
        let wanted = hash(survivor.bytes, survivor.present);
        history.permitted(when).rev().filter(|&at| history.states[at].hash == wanted).collect()
    }

    /// If fills may have failed: the state that has those which survived as a whole, each of which it has wholly.
    fn leave_out_fills(&mut self, index: usize, survivor: &Survivor<'_>) {
        let Some(chronicle) = &self.chronicle else { return };
        let history = &chronicle.layers[index];
        if !history.fills_may_fail {
            return;
        }
        let (begun, last) = (&history.states[history.begun], &history.states[history.states.len() - 1]);
        let mut sectors = begun.sectors.clone();
        let kept = history.fills.iter().filter(|run| survivor.present[run.start as usize]);
        for sector in kept.flat_map(Clone::clone) {
            sectors.set(sector..sector + 1, last.sectors.get(sector));
        }
        let now = std::mem::replace(&mut self.layers[index].sectors, sectors);
        self.mark(index);
        self.layers[index].sectors = now;
    }

    /// The generation that layer `index` has in a state, and those that it has recorded of its parent.
    pub fn generations(&self, index: usize, state: usize) -> (Option<u64>, [Option<u64>; 2]) {
        let lineage = self.chronicle.as_ref().map(|chronicle| chronicle.layers[index].states[state].lineage);
        lineage.map_or((None, [None; 2]), |lineage| lineage.recorded())
    }

    /// Whether each 512 bytes of a raw file are what they may be.
    pub fn permits_pieces(&self, index: usize, when: When, bytes: &[u8]) -> Result<(), u64> {
        let Some(chronicle) = &self.chronicle else { return Ok(()) };
        let history = &chronicle.layers[index];
        let size = self.sector_size as usize;
        let mut expected = vec![0; size];
        for (sector, actual) in (0..).zip(bytes.chunks_exact(size)) {
            let mut open: Vec<bool> = vec![true; size / PIECE];
            for state in history.permitted(when).map(|at| &history.states[at]) {
                match state.sectors.get(sector) {
                    Some(cell) => self.render(cell, sector, &mut expected),
                    None => expected.fill(0),
                }
                let pieces = expected.chunks_exact(PIECE).zip(actual.chunks_exact(PIECE));
                open.iter_mut().zip(pieces).for_each(|(open, (expected, actual))| *open &= expected != actual);
            }
            if open.contains(&true) && !planted(Fault::OraclePermitsAnyPiece) {
                return Err(sector);
            }
        }
        Ok(())
    }

    /// Takes the states that the layers were found in (a raw file: its bytes; RAM: nothing) as what is now.
    pub fn adopt(&mut self, index: usize, found: Found<'_>) {
        match found {
            Found::State(at) => {
                let Some(chronicle) = &self.chronicle else { return };
                let State { sectors, lineage, .. } = (*chronicle.layers[index].states[at]).clone();
                (self.layers[index].sectors, self.layers[index].lineage) = (sectors, lineage);
            }
            Found::Bytes(bytes) => {
                let size = self.sector_size as usize;
                let mut expected = vec![0; size];
                for (sector, actual) in (0..).zip(bytes.chunks_exact(size)) {
                    if let Some(cell) = self.layers[index].sectors.get(sector) {
                        self.render(cell, sector, &mut expected);
                    }
                    if expected != actual {
                        self.survived.push(actual.into());
                        let cell = Cell::Survived(self.survived.len() - 1);
                        self.layers[index].sectors.set(sector..sector + 1, Some(cell));
                    }
                }
                self.mark(index);
            }
            Found::Alive(at) => {
                let Some(chronicle) = &self.chronicle else { return };
                let State { sectors, lineage, .. } = (*chronicle.layers[index].states[at]).clone();
                let model = &mut self.layers[index];
                (model.sectors, model.lineage) = (sectors, lineage.with_promise_of(&model.lineage));
                self.keep_note(index);
                // What comes next begins here, whatever the failed request had begun.
                self.mark(index);
            }
            Found::Nothing => self.layers[index].sectors.clear(),
        }
    }

    /// The operation failed, and has promised nothing.
    pub fn take_back_promises(&mut self) {
        let Some(chronicle) = &mut self.chronicle else { return };
        for history in &mut chronicle.layers {
            (history.floor, history.durable) = (history.floor_during, None);
        }
        chronicle.floor = chronicle.floor_during;
    }

    /// Whether in that state layer `index` holds what it held when the operation began.
    pub fn holds_what_it_held(&self, index: usize, state: usize) -> bool {
        self.chronicle.as_ref().is_none_or(|chronicle| {
            let history = &chronicle.layers[index];
            history.states[state].hash == history.states[history.begun].hash
        })
    }

    /// Takes what a layer holds as what is now, if each sector is as it was when the operation began or at some time
    /// since.
    pub fn adopt_sectors(&mut self, index: usize, survivor: &Survivor<'_>) -> Result<(), u64> {
        let Some(chronicle) = &self.chronicle else { return Ok(()) };
        let history = &chronicle.layers[index];
        let now = self.layers[index].sectors.clone();
        let mut sectors = now.clone();
        let mut expected = vec![0; self.sector_size as usize];
        let found = survivor.bytes.chunks_exact(expected.len()).zip(survivor.present);
        for (sector, (bytes, &present)) in (0..).zip(found) {
            let past = history.states[history.begun..].iter().rev().map(|state| state.sectors.get(sector));
            let cell = std::iter::once(now.get(sector)).chain(past).find(|cell| match *cell {
                None => !present,
                Some(cell) => {
                    self.render(cell, sector, &mut expected);
                    present && expected == bytes
                }
            });
            sectors.set(sector..sector + 1, cell.ok_or(sector)?);
        }
        self.layers[index].sectors = sectors;
        self.mark(index);
        Ok(())
    }

    /// How what survived differs from the latest state that it might be.
    pub fn describe_stranger(&self, index: usize, when: When, survivor: &Survivor<'_>) -> String {
        let Some(chronicle) = &self.chronicle else { return String::new() };
        let history = &chronicle.layers[index];
        let permitted: Vec<_> = history.permitted(when).map(|at| &history.states[at]).collect();
        let latest = &permitted[permitted.len() - 1].sectors;
        let size = self.sector_size as usize;
        let mut expected = vec![0; size];
        let found = survivor.bytes.chunks_exact(size).zip(survivor.present);
        let wrong = (0..).zip(found).find(|&(sector, (bytes, &present))| match latest.get(sector) {
            None => present,
            Some(cell) => {
                self.render(cell, sector, &mut expected);
                !present || expected != bytes
            }
        });
        let count = permitted.len();
        let states = if count == 1 { "the one state".to_owned() } else { format!("one of the {count} states") };
        let place = wrong.map_or(String::new(), |(sector, (_, present))| {
            let how = if *present { "has other bytes there" } else { "does not have it" };
            format!(": from the latest it differs first in sector {sector}, and {how}")
        });
        format!("it is not in {states} that it may be in{place}")
    }

    /// Whether the disk, its layers having been adopted, reads as it did after some prefix of what was asked of it.
    pub fn is_a_prefix(&self, when: When) -> bool {
        let Some(chronicle) = &self.chronicle else { return true };
        let volatile = self.layers.iter().any(|layer| layer.shape.kind != LayerKind::Sqlite);
        let blind = planted(Fault::OraclePermitsAnyMixture);
        if blind || volatile || chronicle.is_changed_alone(when) || self.layers[0].shape.write_through {
            return true;
        }
        let now: Vec<&Extents<Cell>> = self.layers.iter().map(|layer| &layer.sectors).collect();
        let now = self.view(&now);
        chronicle.since(when).any(|moment| {
            let states = moment.states.iter().zip(&chronicle.layers);
            let then: Vec<_> = states.map(|(&at, history)| &history.states[at].sectors).collect();
            self.view(&then) == now
        })
    }

    /// Whether the disk may be found over a parent that is not its own.
    pub fn may_be_strange(&self, when: When, layer: usize) -> bool {
        let Some(chronicle) = &self.chronicle else { return true };
        let blind = planted(Fault::OraclePermitsStrangers);
        blind
            || chronicle.is_changed_alone(when)
            || chronicle.since(when).any(|moment| moment.strangers.contains(&layer))
    }

    /// What the disk reads, sector by sector.
    fn view(&self, layers: &[&Extents<Cell>]) -> Vec<Cell> {
        let cell = |sector| {
            let shown = (0..layers.len()).take_while(|&index| sector < self.visible(index));
            let cell = shown.filter_map(|index| layers[index].get(sector)).next();
            match cell.unwrap_or(ZEROS) {
                Cell::Said(Content::Fill(0) | Content::Byte { value: 0, .. }) => ZEROS,
                cell => cell,
            }
        };
        (0..self.sector_count(0)).map(cell).collect()
    }
}
