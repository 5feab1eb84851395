//! A mistake planted on purpose, to see the commands find one. No release has it.

#[cfg(feature = "planted-faults")]
use disklayer_sqlite::fault::{self, Fault};

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

#[cfg(feature = "planted-faults")]
fn named(name: &str) -> Result<Fault, String> {
    let known = || Fault::ALL.iter().map(|fault| format!("{fault:?}")).collect::<Vec<_>>().join(", ");
    Fault::named(name).ok_or_else(|| format!("the faults are {}", known()))
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
