//! Who of the connections of one layer has locked what, by SQLite's rules (sqlite.org/lockingv3.html and walformat.html).
//!
//! SQLite's own VFS asks the system; here all who ask are in this process, and the system only hears of the first.

use std::sync::atomic::{AtomicI32, Ordering};

/// One connection.
pub(super) type Owner = u64;

/// How far a connection has locked the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// Somebody else has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken;

/// The locks of the file.
#[derive(Debug, Default)]
pub(super) struct Levels(Vec<(Owner, Level)>);

impl Levels {
    fn of(&self, owner: Owner) -> Level {
        self.0.iter().find(|(one, _)| *one == owner).map_or(Level::None, |(_, level)| *level)
    }

    fn set(&mut self, owner: Owner, level: Level) {
        self.0.retain(|(one, _)| *one != owner);
        if level > Level::None {
            self.0.push((owner, level));
        }
    }

    pub(super) fn lock(&mut self, owner: Owner, wanted: Level) -> Result<(), Taken> {
        if self.of(owner) >= wanted {
            return Ok(());
        }
        let others = self.0.iter().filter(|(one, _)| *one != owner).map(|(_, level)| *level);
        let others = others.max().unwrap_or(Level::None);
        let is_free = match wanted {
            Level::None | Level::Shared => others < Level::Pending,
            Level::Reserved => others < Level::Reserved,
            Level::Pending | Level::Exclusive => others < Level::Shared,
        };
        match is_free {
            true => self.set(owner, wanted),
            // Nobody new may read, and those who do will have gone by the next attempt.
            false if wanted == Level::Exclusive && others == Level::Shared => self.set(owner, Level::Pending),
            false => {}
        }
        is_free.then_some(()).ok_or(Taken)
    }

    /// Lets go of what is above `level`.
    pub(super) fn unlock(&mut self, owner: Owner, level: Level) {
        if self.of(owner) > level {
            self.set(owner, level);
        }
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.0.iter().any(|(_, level)| *level >= Level::Reserved)
    }
}

const SLOTS: usize = 8;

/// The locks of the index of the log: how many share a slot, or -1 if one has it alone.
#[derive(Debug, Default)]
pub(super) struct Slots([AtomicI32; SLOTS]);

const ALONE: i32 = -1;

/// The slots that one connection has.
#[derive(Debug, Default)]
pub(super) struct Held {
    shared: u8,
    alone: u8,
}

impl Held {
    pub(super) fn has_alone(&self, slot: usize) -> bool {
        self.alone & 1 << slot != 0
    }
}

impl Slots {
    pub(super) fn share(&self, held: &mut Held, slot: usize) -> Result<(), Taken> {
        if held.shared & 1 << slot != 0 {
            return Ok(());
        }
        let one_more = |count: i32| (count != ALONE).then_some(count + 1);
        match self.0[slot].fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more) {
            Ok(_) => {
                held.shared |= 1 << slot;
                Ok(())
            }
            Err(_) => Err(Taken),
        }
    }

    /// Takes all of these slots, or none.
    pub(super) fn take(&self, held: &mut Held, slots: std::ops::Range<usize>) -> Result<(), Taken> {
        for slot in slots.clone() {
            if self.0[slot].compare_exchange(0, ALONE, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                self.release(held, slots.start..slot);
                return Err(Taken);
            }
            held.alone |= 1 << slot;
        }
        Ok(())
    }

    pub(super) fn release(&self, held: &mut Held, slots: std::ops::Range<usize>) {
        for slot in slots {
            if held.shared & 1 << slot != 0 {
                self.0[slot].fetch_sub(1, Ordering::SeqCst);
            }
            if held.alone & 1 << slot != 0 {
                self.0[slot].store(0, Ordering::SeqCst);
            }
            held.shared &= !(1 << slot);
            held.alone &= !(1 << slot);
        }
    }

    pub(super) fn release_all(&self, held: &mut Held) {
        self.release(held, 0..SLOTS);
    }

    /// Whether SQLite asks for slots that there are.
    pub(super) fn are_there(slots: &std::ops::Range<usize>) -> bool {
        slots.start < slots.end && slots.end <= SLOTS
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_the_file_and_a_writer_excludes_them() {
        let mut levels = Levels::default();
        levels.lock(1, Level::Shared).unwrap();
        levels.lock(2, Level::Shared).unwrap();
        levels.lock(1, Level::Reserved).unwrap();
        levels.lock(2, Level::Reserved).unwrap_err();
        assert!(levels.is_reserved());
        levels.lock(1, Level::Exclusive).unwrap_err();
        levels.lock(3, Level::Shared).unwrap_err();
        levels.unlock(2, Level::None);
        levels.lock(1, Level::Exclusive).unwrap();
        levels.lock(2, Level::Shared).unwrap_err();
        levels.unlock(1, Level::Shared);
        levels.lock(2, Level::Shared).unwrap();
    }

    #[test]
    fn a_slot_is_shared_or_taken() {
        let (slots, mut one, mut other) = (Slots::default(), Held::default(), Held::default());
        slots.share(&mut one, 4).unwrap();
        slots.share(&mut other, 4).unwrap();
        slots.take(&mut one, 3..6).unwrap_err();
        slots.release(&mut other, 4..5);
        slots.release(&mut one, 4..5);
        slots.take(&mut one, 3..6).unwrap();
        assert!(one.has_alone(5) && !other.has_alone(5));
        slots.share(&mut other, 5).unwrap_err();
        slots.take(&mut other, 2..4).unwrap_err();
        slots.take(&mut other, 2..3).unwrap();
        slots.release_all(&mut one);
        slots.share(&mut other, 5).unwrap();
    }

    #[test]
    fn slots_are_there_up_to_the_last() {
        assert!([0..SLOTS, SLOTS - 1..SLOTS, 2..4].iter().all(Slots::are_there));
        assert!(![SLOTS - 1..SLOTS + 1, SLOTS..SLOTS + 1, 0..0, 3..3].iter().any(Slots::are_there));
    }
}
