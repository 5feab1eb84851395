//! What a fuzzer drives: bytes in, and a finding if they have shown one.
//!
//! | target | its bytes |
//! |---|---|
//! | `script` | a script on a stack of one to four layers |
//! | `layer` | a script on one layer, most of it past the stack |
//! | `power_cut` | a script with power cuts or failing calls |
//! | `hostile_database` | a file that is no disk; or a sound one, and what is done to it |
//! | `script_text` | the text of a script or of a hostile case |
//! | `description` | the description of a disk |
//!
//! [`Target::decode`] makes an [`Input`] of them, which a [`Playground`] runs. An input has a text, so that what was found
//! is replayed without the fuzzer; the generator that decides is that of the gate.
//!
//! # Bytes of a script
//!
//! | bytes | decide |
//! |---|---|
//! | 0 | the suite |
//! | 1 | whether SQLite databases are files (15 modulo 16) or in memory |
//! | 2 to 39 | the stack |
//! | 40 to 63 | what the script likes, and which kinds of operation it has |
//! | from 64 on | the operations: records of 16 bytes, the first 64 of them |
//!
//! A record of `layer` has one byte more, whether the layer is asked past the stack; one of `power_cut` has eight more,
//! what strikes. Whatever is missing at the end is drawn from a hash of what is there. So a record that is deleted,
//! doubled or moved takes its operation with it and leaves the others alone; a byte that changes, changes one decision. No
//! byte is the content of a write: its stamp is a count.
//!
//! # Bytes of a hostile database
//!
//! After a first byte that is even comes a file. After an odd one, 15 bytes say which sound file, and then records of 16
//! bytes one damage each, at most 6.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use arbitrary::{Arbitrary, Unstructured};

use super::hostile::Case;
use crate::error::{Error, ErrorKind, Result};
use crate::script::Script;

mod bytes;
mod finding;
mod layout;
mod playground;
mod text;

pub use finding::Finding;
pub use playground::Playground;

/// What a fuzzer's bytes are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A script on a stack.
    Script,
    /// A script on one layer.
    Layer,
    /// A script with power cuts or failing calls.
    PowerCut,
    /// A file, or a sound file and what is done to it.
    HostileDatabase,
    /// The text of a script or of a hostile case.
    ScriptText,
    /// The description of a disk.
    Description,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 6] =
        [Self::Script, Self::Layer, Self::PowerCut, Self::HostileDatabase, Self::ScriptText, Self::Description];

    /// Its name, which its binary has too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Layer => "layer",
            Self::PowerCut => "power_cut",
            Self::HostileDatabase => "hostile_database",
            Self::ScriptText => "script_text",
            Self::Description => "description",
        }
    }

    /// The target that a file is an input of: the directory that it is in has its name, or the file's name begins with
    /// it, as in `artifacts/script/crash-…`, `seeds/layer/…`, `power_cut-crash-…`.
    pub fn of_artifact(path: &Path) -> Option<Self> {
        let directory = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let begins = |target: &Self| file.strip_prefix(target.name()).is_some_and(|rest| rest.starts_with(['-', '.']));
        let by_directory = Self::ALL.into_iter().find(|target| directory == Some(target.name()));
        by_directory.or_else(|| Self::ALL.into_iter().find(begins))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Target {
    type Err = Error;

    /// # Errors
    ///
    /// `Syntax`, with the names that there are.
    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::new(ErrorKind::Syntax, format!("`{name}` is no fuzz target; there are {names}"))
        })
    }
}

/// What bytes have become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A script to run.
    Script(Script),
    /// A hostile file, by what was done to a sound one.
    Case(Case),
    /// A hostile file, byte by byte.
    File(Vec<u8>),
    /// What may be the text of a script or of a case.
    ScriptText(String),
    /// What may be the description of a disk.
    Description(String),
}

impl Input {
    /// The script, if it is one to run.
    pub fn script(&self) -> Option<&Script> {
        match self {
            Self::Script(script) => Some(script),
            _ => None,
        }
    }
}

/// The text that is read back; of a file, how long it is.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(script) => script.fmt(f),
            Self::Case(case) => case.fmt(f),
            Self::File(bytes) => writeln!(f, "a file of {} bytes", bytes.len()),
            Self::ScriptText(text) | Self::Description(text) => writeln!(f, "{text:?}"),
        }
    }
}

/// A script of the target `script`, for whoever fuzzes a disk of his own: `fuzz_target!(|script: Script| …)`. Its `Debug`
/// form, which the fuzzer shows, is a script to replay.
impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let len = bytes.len();
        Ok(Target::Script.script(bytes.bytes(len)?))
    }

    fn arbitrary_take_rest(bytes: Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Target::Script.script(bytes.take_rest()))
    }
}
