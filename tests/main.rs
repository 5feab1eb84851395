//! The one test binary.

mod command;
mod engines;
mod planted_faults;
mod resolver;
mod saved_scripts;
