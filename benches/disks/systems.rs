//! The systems under measurement, by name.

use super::disk::System;
use super::original::Original;
use super::ours;
use super::qcow2::ImagoQcow2;
use super::raw::Raw;

/// All of them; those whose names begin with `ours` are compared with the rest.
pub(crate) const NAMES: [&str; 7] = ["ours", "ours-mapped", "ours-32k", "ours-0", "original", "raw", "qcow2"];

/// Whether it is one of this crate's formats.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with("ours")
}

/// The system called `name`.
///
/// # Panics
///
/// If there is none: names are checked where they are given.
pub(crate) fn by_name(name: &str) -> Box<dyn System> {
    match name {
        "ours" => Box::new(ours::FORMAT_1),
        "ours-mapped" => Box::new(ours::FORMAT_1_MAPPED),
        "ours-32k" => Box::new(ours::FORMAT_1_STREAMING),
        "ours-0" => Box::new(ours::FORMAT_0),
        "original" => Box::new(Original),
        "raw" => Box::new(Raw),
        "qcow2" => Box::new(ImagoQcow2),
        _ => panic!("no system is called {name}"),
    }
}
