//! The one test binary.

mod contract;
mod resolver;
