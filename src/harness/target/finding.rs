//! What an input has shown.

use std::fmt;

use crate::harness::{Divergence, hostile};
use crate::layer::Mode;

/// What is wrong. Its text says what, and how to see it again without the fuzzer.
#[derive(Clone, Debug)]
pub enum Finding {
    /// System and oracle differ.
    Divergence(Box<Divergence>),
    /// The layer did wrong with a damaged file.
    Hostile(Box<hostile::Finding>),
    /// The layer did wrong with somebody's bytes.
    File {
        /// How the file was opened.
        mode: Mode,
        /// What it did.
        wrong: hostile::Wrong,
    },
    /// A parser panicked, or what it read is not what is read back.
    Text {
        /// What it was given.
        text: String,
        /// What came of it.
        wrong: String,
    },
}

impl Finding {
    /// The kind of it, the same for what is likely to be the same mistake.
    pub fn slug(&self) -> String {
        match self {
            Self::Divergence(divergence) => divergence.signature().slug(),
            Self::Hostile(finding) => format!("hostile-{}", finding.wrong.slug()),
            Self::File { wrong, .. } => format!("file-{}", wrong.slug()),
            Self::Text { .. } => "text".to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Divergence(divergence) => divergence.fmt(f),
            Self::Hostile(finding) => finding.fmt(f),
            Self::File { mode: Mode::ReadOnly, wrong } => writeln!(f, "# A file, opened for reading: {wrong}"),
            Self::File { mode: Mode::ReadWrite, wrong } => writeln!(f, "# A file, opened for writing: {wrong}"),
            Self::Text { text, wrong } => writeln!(f, "# {wrong}\n{text:?}"),
        }
    }
}

impl std::error::Error for Finding {}
