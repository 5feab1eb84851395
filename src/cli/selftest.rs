//! `disklayer selftest`: is the harness any good? Mistakes are planted on purpose, and it must find each of them.
//!
//! Only a build with the feature `planted-faults` has anything to plant. `--json` writes the whole report; its fields are
//! only added to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use disklayer_sqlite::error::Result;

use super::Verdict;

#[cfg(feature = "planted-faults")]
mod report;
#[cfg(feature = "planted-faults")]
mod run;
#[cfg(feature = "planted-faults")]
mod text;
#[cfg(feature = "planted-faults")]
mod trial;

/// Plant mistakes in layers, stack and oracle, one at a time, and see whether the harness finds each
#[derive(Args)]
#[cfg_attr(not(feature = "planted-faults"), allow(dead_code, reason = "nothing is planted in this build"))]
pub(super) struct Selftest {
    /// With how many seeds each fault is looked for
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Only this fault; more than once for several [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    #[cfg_attr(feature = "planted-faults", arg(value_parser = known))]
    fault: Vec<String>,
    /// How many at a time [default: one for each core]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// After so many scripts without a divergence a fault counts as not found
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    scripts: u64,
    /// Look for each fault with another generator as well
    #[arg(long, value_name = "GENERATOR")]
    compare: Option<Generator>,
    /// Write the whole report
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How scripts are drawn, to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Generator {
    /// All operations, places and contents alike
    Uniform,
}

/// A name that a fault has.
#[cfg(feature = "planted-faults")]
fn known(name: &str) -> Result<String, String> {
    super::plant::named(name).map(|_| name.to_owned())
}

#[cfg(feature = "planted-faults")]
impl Selftest {
    pub(super) fn execute(self) -> Result<Verdict> {
        run::run(&self)
    }
}

#[cfg(not(feature = "planted-faults"))]
impl Selftest {
    pub(super) fn execute(self) -> Result<Verdict> {
        use disklayer_sqlite::error::{Error, ErrorKind};
        let how = "run `cargo run --release --features planted-faults -- selftest`";
        Err(Error::new(ErrorKind::Unsupported, format!("this build has no mistakes to plant: {how}")))
    }
}
