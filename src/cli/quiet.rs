//! A panic of the system is a finding, and is told as one; it need not be told twice.

use std::cell::Cell;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Lets the threads that ask for it panic without a word.
pub(super) fn listen() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !QUIET.get() {
            loud(panic);
        }
    }));
}

/// Does `work` on this thread, where panics are told by whoever catches them.
pub(super) fn quietly<R>(work: impl FnOnce() -> R) -> R {
    let before = QUIET.replace(true);
    let result = work();
    QUIET.set(before);
    result
}
