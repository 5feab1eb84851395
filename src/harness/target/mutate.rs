//! Changes that a fuzzer makes to an input: whole records, which are operations, and single decisions.

use super::Target;
use super::layout::Layout;
use crate::script::{Choices, SeedChoices};

/// The fuzzer's own mutator: it changes the first so many bytes of a buffer to at most so many, and says how many.
pub type ByteMutator<'a> = &'a mut dyn FnMut(&mut [u8], usize, usize) -> usize;

impl Target {
    /// Changes the input in the first `size` bytes of `data` into one of at most `max_size`; its new size. `seed` decides
    /// how, and `bytes` changes bytes where no record is moved.
    pub fn mutate(self, data: &mut [u8], size: usize, max_size: usize, seed: u32, bytes: ByteMutator<'_>) -> usize {
        let Some(layout) = self.records_of(&data[..size]) else { return bytes(data, size, max_size) };
        let longest = max_size.min(layout.longest());
        let records = size.min(longest).saturating_sub(layout.head) / layout.record;
        if records == 0 {
            return bytes(data, size.min(longest), longest);
        }
        let room = (longest - layout.head) / layout.record;
        Records { data, layout, count: records, room, choices: SeedChoices::new(seed.into(), 0) }.mutate(bytes)
    }

    /// Joins two inputs: the head of `one` with a first part of its records, and then a last part of the records of
    /// `other`. The new input lies in `out`; its size.
    pub fn splice(self, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
        let mut choices = SeedChoices::new(seed.into(), 1);
        let (head, record) = self.records_of(one).map_or((0, 1), |layout| (layout.head, layout.record));
        let mut cut = |bytes: &[u8]| {
            let records = bytes.len().saturating_sub(head) / record;
            (head + choices.below(records as u64 + 1) as usize * record).min(bytes.len())
        };
        let (first, last) = (&one[..cut(one)], &other[cut(other)..]);
        first.iter().chain(last).zip(out).map(|(byte, place)| *place = *byte).count()
    }

    /// How this input is divided, if it is.
    fn records_of(self, input: &[u8]) -> Option<Layout> {
        let is_a_file = self == Self::HostileDatabase && input.first().is_some_and(|kind| kind % 2 == 0);
        self.layout().filter(|_| !is_a_file)
    }
}

/// An input, as its records.
struct Records<'a> {
    data: &'a mut [u8],
    layout: Layout,
    count: usize,
    /// How many there can be.
    room: usize,
    choices: SeedChoices,
}

impl Records<'_> {
    /// One change; the new size.
    fn mutate(mut self, bytes: ByteMutator<'_>) -> usize {
        match self.choices.below(16) {
            0 | 1 => self.insert(),
            2 | 3 => self.delete(),
            4 => self.duplicate(),
            5 => self.swap(),
            6 => self.travel(),
            7..10 => self.decide_anew(),
            10 | 11 => _ = bytes(&mut self.data[..self.layout.head], self.layout.head, self.layout.head),
            _ => {
                let (at, len) = (self.any(), self.layout.record);
                bytes(&mut self.data[at..at + len], len, len);
            }
        }
        self.end()
    }

    fn place(&self, index: usize) -> usize {
        self.layout.head + index * self.layout.record
    }

    fn end(&self) -> usize {
        self.place(self.count)
    }

    /// Where one of the records begins.
    fn any(&mut self) -> usize {
        let index = self.choices.below(self.count as u64) as usize;
        self.place(index)
    }

    /// Makes room for a record before one of them, or after the last; where it is, if there can be one more.
    fn open(&mut self) -> Option<usize> {
        let index = self.choices.below(self.count as u64 + 1) as usize;
        let (at, end, record) = (self.place(index), self.end(), self.layout.record);
        if self.count == self.room {
            return None;
        }
        self.data.copy_within(at..end, at + record);
        self.count += 1;
        Some(at)
    }

    fn fill(&mut self, at: usize) {
        let Self { data, layout, choices, .. } = self;
        data[at..at + layout.record].fill_with(|| choices.below(256) as u8);
    }

    fn insert(&mut self) {
        match self.open() {
            Some(at) => self.fill(at),
            None => self.decide_anew(),
        }
    }

    fn delete(&mut self) {
        if self.count > 1 {
            let (at, end, record) = (self.any(), self.end(), self.layout.record);
            self.data.copy_within(at + record..end, at);
            self.count -= 1;
        }
    }

    fn duplicate(&mut self) {
        let (from, record) = (self.any(), self.layout.record);
        let copy = self.data[from..from + record].to_vec();
        match self.open() {
            Some(at) => self.data[at..at + record].copy_from_slice(&copy),
            None => self.swap(),
        }
    }

    fn swap(&mut self) {
        let (one, other) = (self.any(), self.any());
        for byte in 0..self.layout.record {
            self.data.swap(one + byte, other + byte);
        }
    }

    /// A record goes to where another is; those between make room.
    fn travel(&mut self) {
        let (from, to, record) = (self.any(), self.any(), self.layout.record);
        match from < to {
            true => self.data[from..to + record].rotate_left(record),
            false => self.data[to..from + record].rotate_right(record),
        }
    }

    /// Everything from one decision of a record on is decided anew.
    fn decide_anew(&mut self) {
        let (at, record) = (self.any(), self.layout.record);
        let first = self.choices.below(record as u64) as usize;
        let Self { data, choices, .. } = self;
        data[at + first..at + record].fill_with(|| choices.below(256) as u8);
    }
}
