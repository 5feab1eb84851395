//! A mistake planted on purpose, to see the commands find one. No release has it.

#[cfg(feature = "planted-faults")]
use disklayer_sqlite::fault::{self, Fault};

/// So many names are told at most.
#[cfg(feature = "planted-faults")]
const NEAR: usize = 3;

#[cfg(feature = "planted-faults")]
#[derive(clap::Args, Clone, Copy, Default)]
pub(super) struct Plant {
    /// Run with this mistake in the layers (only in builds with the feature `planted-faults`)
    #[arg(long, global = true, value_name = "FAULT", value_parser = named)]
    plant: Option<Fault>,
}

#[cfg(feature = "planted-faults")]
impl Plant {
    /// Does `work` on this thread with the mistake in place.
    pub(super) fn within<R>(self, work: impl FnOnce() -> R) -> R {
        match self.plant {
            Some(fault) => fault::with(fault, work),
            None => work(),
        }
    }

    /// The option as it was given, for the line that replays.
    pub(super) fn option(self) -> String {
        self.plant.map_or(String::new(), |fault| format!(" --plant {fault:?}"))
    }
}

/// The fault of that name, or those whose names are near it.
#[cfg(feature = "planted-faults")]
pub(super) fn named(name: &str) -> Result<Fault, String> {
    Fault::named(name).ok_or_else(|| {
        let mut near: Vec<_> = Fault::ALL.iter().map(|fault| format!("{fault:?}")).collect();
        near.retain(|other| likeness(name, other) >= 50);
        near.sort_by_key(|other| std::cmp::Reverse(likeness(name, other)));
        near.truncate(NEAR);
        let near = if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) };
        format!("there is no fault {name}{near}; all {} are in src/fault/list.rs", Fault::ALL.len())
    })
}

/// How many pairs of letters two names share, in percent of all.
#[cfg(feature = "planted-faults")]
fn likeness(one: &str, other: &str) -> usize {
    let pairs = |name: &str| {
        let letters: Vec<_> = name.to_lowercase().chars().collect();
        letters.windows(2).map(<[char]>::to_vec).collect::<Vec<_>>()
    };
    let (one, mut rest) = (pairs(one), pairs(other));
    let all = one.len() + rest.len();
    let shared =
        one.iter().filter(|pair| rest.iter().position(|p| p == *pair).map(|at| rest.swap_remove(at)).is_some());
    200 * shared.count() / all.max(1)
}

#[cfg(not(feature = "planted-faults"))]
#[derive(clap::Args, Clone, Copy, Default)]
pub(super) struct Plant {}

#[cfg(not(feature = "planted-faults"))]
impl Plant {
    pub(super) fn within<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }

    pub(super) fn option(self) -> String {
        String::new()
    }
}
