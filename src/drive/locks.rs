//! Who has locked what: SQLite's file locks, and those of the memory that connections share.

use super::image::FileId;

/// SQLite's lock levels (sqlite.org/lockingv3.html), as numbers of its own.
pub(super) const SHARED: i32 = 1;
pub(super) const RESERVED: i32 = 2;
const PENDING: i32 = 3;
pub(super) const EXCLUSIVE: i32 = 4;

/// One open file.
pub(super) type Owner = u64;

/// Everything that is locked.
#[derive(Debug, Default)]
pub(super) struct Locks {
    files: Vec<(FileId, Owner, i32)>,
    slots: Vec<(FileId, Owner, u8, Hold)>,
}

/// How a slot of shared memory is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Shared,
    Exclusive,
}

/// Somebody else has it.
#[derive(Debug)]
pub(super) struct Taken;

impl Locks {
    fn highest_of_others(&self, file: FileId, owner: Owner) -> i32 {
        let others = self.files.iter().filter(|(f, o, _)| *f == file && *o != owner);
        others.map(|(.., level)| *level).max().unwrap_or(0)
    }

    fn set(&mut self, file: FileId, owner: Owner, level: i32) {
        self.files.retain(|(f, o, _)| (*f, *o) != (file, owner));
        if level > 0 {
            self.files.push((file, owner, level));
        }
    }

    pub(super) fn lock(&mut self, file: FileId, owner: Owner, level: i32) -> Result<(), Taken> {
        let others = self.highest_of_others(file, owner);
        let free = match level {
            SHARED => others < PENDING,
            RESERVED => others < RESERVED,
            _ if others >= RESERVED => false,
            _ if others >= SHARED => {
                // Nobody new may read, and those who do will have gone by the next attempt.
                self.set(file, owner, PENDING);
                false
            }
            _ => true,
        };
        if free {
            self.set(file, owner, level);
        }
        free.then_some(()).ok_or(Taken)
    }

    pub(super) fn unlock(&mut self, file: FileId, owner: Owner, level: i32) {
        self.set(file, owner, level);
    }

    pub(super) fn is_reserved(&self, file: FileId) -> bool {
        self.files.iter().any(|(f, _, level)| *f == file && *level >= RESERVED)
    }

    pub(super) fn lock_slot(&mut self, file: FileId, owner: Owner, slot: u8, hold: Hold) -> Result<(), Taken> {
        let mut others = self.slots.iter().filter(|(f, o, s, _)| *f == file && *o != owner && *s == slot);
        let free = match hold {
            Hold::Shared => others.all(|(.., hold)| *hold == Hold::Shared),
            Hold::Exclusive => others.next().is_none(),
        };
        if free {
            self.unlock_slot(file, owner, slot);
            self.slots.push((file, owner, slot, hold));
        }
        free.then_some(()).ok_or(Taken)
    }

    pub(super) fn unlock_slot(&mut self, file: FileId, owner: Owner, slot: u8) {
        self.slots.retain(|(f, o, s, _)| (*f, *o, *s) != (file, owner, slot));
    }

    /// Lets go of everything.
    pub(super) fn leave(&mut self, file: FileId, owner: Owner) {
        self.files.retain(|(f, o, _)| (*f, *o) != (file, owner));
        self.slots.retain(|(f, o, ..)| (*f, *o) != (file, owner));
    }
}
