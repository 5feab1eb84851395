//! One fault at a time, in one thread.

use super::Fault;
use std::cell::Cell;

thread_local! {
    static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Runs `work` on this thread with `fault` in place.
pub fn with<R>(fault: Fault, work: impl FnOnce() -> R) -> R {
    struct Restore(Option<Fault>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PLANTED.set(self.0);
        }
    }
    let _restore = Restore(PLANTED.replace(Some(fault)));
    work()
}

#[cfg(feature = "harness")]
impl super::Planted {
    pub(crate) fn here() -> Self {
        Self(PLANTED.get())
    }

    pub(crate) fn within<R>(self, work: impl FnOnce() -> R) -> R {
        match self.0 {
            Some(fault) => with(fault, work),
            None => work(),
        }
    }
}

pub(crate) fn planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}
