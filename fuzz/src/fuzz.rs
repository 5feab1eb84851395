//! What the fuzz targets have in common: a place to run in, and panics that are told once.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use disklayer_sqlite::harness::target::{Playground, Target};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static PLACE: RefCell<Option<Playground>> = const { RefCell::new(None) };
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
}

fn now() -> Duration {
    START.elapsed()
}

/// A panic of what is tested is caught by the harness, which tells of it with the script: it must not end the process
/// before.
pub fn let_the_harness_catch_panics() {
    let fatal = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IS_RUNNING.get() {
            fatal(info);
        }
    }));
}

/// Runs one input.
///
/// # Panics
///
/// If it shows that something is wrong; the words are a script, or a case, to replay.
pub fn run(target: Target, bytes: &[u8]) {
    let found = PLACE.with_borrow_mut(|place| {
        IS_RUNNING.set(true);
        let result = place.get_or_insert_with(|| Playground::new(now)).run(target, bytes);
        IS_RUNNING.set(false);
        // The process ends without another chance to take a directory away.
        result.inspect_err(|_| *place = None).err()
    });
    if let Some(found) = found {
        panic!("\n{found}");
    }
}

/// The fuzz target of that name.
#[macro_export]
macro_rules! fuzz {
    ($target:expr) => {
        libfuzzer_sys::fuzz_target!(init: $crate::let_the_harness_catch_panics(), |bytes: &[u8]| {
            $crate::run($target, bytes)
        });
    };
}
