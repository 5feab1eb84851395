//! The command `disklayer`.

fn main() {}
