//! Locks of the standard library that a thread which takes turns does not wait for in the system.

use std::ops::{Deref, DerefMut};
use std::sync::{self, LockResult, PoisonError, TryLockError, TryLockResult};

use super::turns;

/// A [`std::sync::Mutex`].
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// A [`std::sync::RwLock`].
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

/// A guard of the standard library, whose end lets those who wait try again.
#[derive(Debug)]
pub struct Guard<G> {
    guard: G,
    // Dropped after the guard: fields go in their order.
    _release: Release,
}

/// What [`Mutex::lock`] gives.
pub type MutexGuard<'a, T> = Guard<sync::MutexGuard<'a, T>>;
/// What [`RwLock::read`] gives.
pub type RwLockReadGuard<'a, T> = Guard<sync::RwLockReadGuard<'a, T>>;
/// What [`RwLock::write`] gives.
pub type RwLockWriteGuard<'a, T> = Guard<sync::RwLockWriteGuard<'a, T>>;

impl<T> Mutex<T> {
    /// An unlocked one.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Has the value alone.
    ///
    /// # Errors
    ///
    /// As in the standard library.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        acquire(name(&self.0), || self.0.try_lock(), || self.0.lock())
    }
}

impl<T> RwLock<T> {
    /// An unlocked one.
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Has the value together with other readers.
    ///
    /// # Errors
    ///
    /// As in the standard library.
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        acquire(name(&self.0), || self.0.try_read(), || self.0.read())
    }

    /// Has the value alone.
    ///
    /// # Errors
    ///
    /// As in the standard library.
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        acquire(name(&self.0), || self.0.try_write(), || self.0.write())
    }
}

impl<G: Deref> Deref for Guard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Guard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

/// Which lock it was.
#[derive(Debug)]
struct Release(usize);

impl Drop for Release {
    fn drop(&mut self) {
        turns::released(self.0);
    }
}

/// A lock is known by its place; it does not move while somebody waits for it.
fn name<L>(lock: &L) -> usize {
    std::ptr::from_ref(lock).addr()
}

fn acquire<G>(
    lock: usize,
    attempt: impl Fn() -> TryLockResult<G>,
    wait: impl FnOnce() -> LockResult<G>,
) -> LockResult<Guard<G>> {
    let guarded = |guard| Guard { guard, _release: Release(lock) };
    let result = match turns::are_taken() {
        false => wait(),
        true => {
            turns::step();
            loop {
                match attempt() {
                    Ok(guard) => break Ok(guard),
                    Err(TryLockError::Poisoned(poisoned)) => break Err(poisoned),
                    Err(TryLockError::WouldBlock) => turns::wait_for(lock),
                }
            }
        }
    };
    result.map(guarded).map_err(|poisoned| PoisonError::new(guarded(poisoned.into_inner())))
}
