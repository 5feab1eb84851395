//! The locks that layers and stacks are guarded by.
//!
//! They are those of the standard library. With the feature `harness`, a thread that takes its `turns` with others
//! does not wait in the system for a lock: it lets another go on until the lock is free. So real threads on real locks
//! run one at a time, change over at known steps, and what they did once they do again.
//!
//! The crate `shuttle` does this for a whole build, in which its primitives stand in for the standard library's. Here
//! the code under test is the code of every build, and threads that take no turns run beside those that do.

#[cfg(feature = "harness")]
mod locks;
#[cfg(feature = "harness")]
pub mod turns;

#[cfg(feature = "harness")]
pub use locks::{Guard, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(feature = "harness"))]
pub use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A place where another thread may go on, for code whose order matters beside locks.
#[inline]
pub fn step() {
    #[cfg(feature = "harness")]
    turns::step();
}
