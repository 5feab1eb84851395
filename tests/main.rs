//! The one test binary.

mod planted_faults;
mod resolver;
