//! The one test binary.

mod command;
mod contract;
mod engines;
mod house;
mod own_disks;
mod planted_faults;
mod resolver;
mod saved_scripts;
