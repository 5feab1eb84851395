//! One fault at a time, in one thread; and beside it one of the oracle, which may hide it.

use super::{Fault, FaultSuite};
use std::cell::Cell;

/// What is planted: in the system, and in the oracle.
pub(super) type Plants = [Option<Fault>; 2];

thread_local! {
    static PLANTED: Cell<Plants> = const { Cell::new([None; 2]) };
}

/// Runs `work` with nothing else planted than these.
pub(super) fn within<R>(plants: Plants, work: impl FnOnce() -> R) -> R {
    struct Restore(Plants);
    impl Drop for Restore {
        fn drop(&mut self) {
            PLANTED.set(self.0);
        }
    }
    let _restore = Restore(PLANTED.replace(plants));
    work()
}

fn side(fault: Fault) -> usize {
    usize::from(fault.suite() == FaultSuite::Oracle)
}

/// Runs `work` on this thread with `fault` in place. One of the oracle and one of the system may be planted together.
pub fn with<R>(fault: Fault, work: impl FnOnce() -> R) -> R {
    let mut plants = PLANTED.get();
    plants[side(fault)] = Some(fault);
    within(plants, work)
}

/// What is planted on this thread.
#[cfg(feature = "harness")]
pub(super) fn here() -> Plants {
    PLANTED.get()
}

pub(crate) fn planted(fault: Fault) -> bool {
    PLANTED.get().contains(&Some(fault))
}
