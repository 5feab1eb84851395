//! The one test binary.

mod resolver;
