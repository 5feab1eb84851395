//! Writes a description so that it is read back the same.

use std::fmt;

use super::length::Length;
use super::parse::{Word, quote};
use super::{Description, Start};

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not recursive: a value that was built by hand may be deeper than any that was read.
        let mut next = Some(self);
        while let Some(disk) = next {
            write_top(disk, f)?;
            next = disk.below();
        }
        Ok(())
    }
}

/// Writes the top layer, up to where the disk below begins.
fn write_top(disk: &Description, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match disk {
        Description::Mem { len } => write!(f, "mem:{}", Length(*len)),
        Description::MemDiff { .. } => f.write_str("memdiff:"),
        Description::Sql { path, create: None } => write!(f, "sql:{}", quote(path, Word::Last)),
        Description::Sql { path, create: Some(len) } => {
            write!(f, "sql:{};create={}", quote(path, Word::Last), Length(*len))
        }
        Description::SqlDiff { path, start, .. } => {
            let option = match start {
                Start::Open => "",
                Start::Create => ";create",
            };
            write!(f, "sqldiff:{}{option}:", quote(path, Word::Inner))
        }
        Description::AutoCache { key, .. } => write!(f, "autocache:{}:", quote(key, Word::Key)),
        Description::File { path } => write!(f, "file:{}", quote(path, Word::Last)),
    }
}
