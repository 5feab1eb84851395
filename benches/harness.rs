//! The benchmark of the harness.

fn main() {}
