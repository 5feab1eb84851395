//! What was done to a drive, so that the power can be cut afterwards at any moment of it.

use super::image::{Change, Image, Medium};
use super::state::State;
use crate::strike::Lost;

/// Every change since some moment, in order.
#[derive(Clone, Debug, Default)]
pub struct Record {
    start: Medium,
    changes: Vec<Change>,
}

impl Record {
    pub(super) fn new(start: Medium) -> Self {
        Self { start, changes: Vec::new() }
    }

    pub(super) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// How many changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Every moment, the first before any change.
    pub fn moments(&self) -> impl Iterator<Item = Moment> {
        let mut medium = self.start.clone();
        let first = Moment { done: 0, medium: medium.clone() };
        let rest = self.changes.iter().enumerate().map(move |(at, change)| {
            medium.note(change);
            Moment { done: at + 1, medium: medium.clone() }
        });
        std::iter::once(first).chain(rest)
    }
}

/// A drive at a moment of its record.
#[derive(Debug)]
pub struct Moment {
    /// So many changes are done.
    pub done: usize,
    medium: Medium,
}

impl Moment {
    /// How many units a power cut could take now.
    pub fn units(&self) -> u32 {
        self.medium.units()
    }

    /// The first unit of each change that was not synced.
    pub fn firsts(&self) -> Vec<u32> {
        self.medium.firsts()
    }

    /// How many writes have not been synced.
    pub fn unsynced_writes(&self) -> usize {
        self.medium.unsynced_writes()
    }

    pub(super) fn put(&self, state: &mut State, lost: &Lost) {
        state.go_on(self.medium.clone(), lost);
    }

    /// What is left when the power is cut now.
    pub fn cut(&self, lost: &Lost) -> Image {
        self.medium.cut(lost)
    }
}
