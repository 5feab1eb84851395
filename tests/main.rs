//! The one test binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod a_short_gate;
#[cfg(feature = "cli")]
mod command;
mod contract;
mod engines;
mod formats;
mod fuzz_targets;
mod hostile;
mod house;
mod own_disks;
mod own_power;
mod planted_faults;
mod resolver;
mod saved_scripts;
mod sweeps;
mod threads;
