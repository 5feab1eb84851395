//! From a textual description to a stack of layers.
//!
//! ```text
//! disk   = "mem:" length                            a disk in memory
//!        | "memdiff:" disk                          a differencing layer in memory over another disk
//!        | "sql:" last [";create=" length]          a SQLite layer as a whole disk
//!        | "sqldiff:" inner [";create"] ":" disk    a SQLite differencing layer over another disk
//!        | "autocache:" [key] ":" disk              a SQLite read cache for another disk
//!        | ["file:"] last                           a raw image
//! length = digits [K | M | G | T]                   bytes, in powers of 1024; "0x" makes the digits hexadecimal
//! last   = a path, up to a ";" or the end
//! inner  = a path, up to a ";" or a ":"
//! key    = any text, up to a ":"
//! ```
//!
//! - One letter and a `:` at the start of a path are a Windows drive and belong to it: `sqldiff:d:\top.dbhd:mem:1G`. A
//!   file of one letter is written `./d`.
//! - What cannot be told apart is quoted, with a `"` inside doubled: `sqldiff:"10:30.dbhd":mem:1G`. That holds for a
//!   path with a delimiter in it, and for an inner path or a key that is the name of a scheme. A key that was
//!   forgotten, as in `autocache:file:base.img`, is refused, and the disk is not cached under `file`.
//! - A path without a scheme is an image; before its first `:`, if any, it has a `/`, a `\` or a `.`, or is a drive.
//!
//! A description is a list of layers, top first, so it becomes one [`LayeredDisk`]. Writes go to the top one. A cache
//! at the top writes through, so that the disk below stays as writable as it was; a cache below a differencing layer is
//! only filled, and has the identity of what it caches: it may be taken out, or lost, and nobody above notices.
//!
//! ```
//! use disklayer_sqlite::resolver::{Description, ResolveOptions, resolve};
//!
//! let description: Description = "memdiff:mem:64M".parse()?;
//! assert_eq!(resolve(&description, &ResolveOptions::default())?.geometry().len(), 64 << 20);
//! # Ok::<(), disklayer_sqlite::error::Error>(())
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layer::{Mode, Options};
use crate::stack::{DiskAccess, LayeredDisk, ParentCheck};

mod cache;
mod display;
mod fill_only;
mod layers;
mod length;
mod parse;

/// The most layers that a description can have.
pub const MAX_LAYERS: usize = 32;

/// A disk that is described and not yet opened.
///
/// `Display` and `FromStr` are inverse to each other for every value of up to [`MAX_LAYERS`] layers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Description {
    /// `mem:<len>`: a disk in memory.
    Mem {
        /// Bytes of the disk.
        len: u64,
    },
    /// `memdiff:<disk>`: a differencing layer in memory.
    MemDiff {
        /// The disk that it lies on.
        below: Box<Description>,
    },
    /// `sql:<path>[;create=<len>]`: a SQLite layer as a whole disk.
    Sql {
        /// Its file.
        path: String,
        /// Bytes of the disk, if the file is to be created.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        create: Option<u64>,
    },
    /// `sqldiff:<path>[;create]:<disk>`: a SQLite differencing layer.
    SqlDiff {
        /// Its file.
        path: String,
        /// Where the file comes from.
        #[serde(default)]
        start: Start,
        /// The disk that it lies on.
        below: Box<Description>,
    },
    /// `autocache:[key]:<disk>`: a SQLite read cache in the cache directory, created when it is first needed.
    AutoCache {
        /// Names the file of the cache; if empty, the identity of the disk below does.
        #[serde(default)]
        key: String,
        /// The disk that is cached.
        below: Box<Description>,
    },
    /// `file:<path>` or `<path>`: a raw image.
    File {
        /// The image.
        path: String,
    },
}

/// Where the file of a differencing layer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// It is there.
    #[default]
    Open,
    /// It is created, with the geometry of the disk below.
    Create,
}

impl Description {
    /// The names of the schemes.
    pub const SCHEMES: [&str; 6] = ["mem", "memdiff", "sql", "sqldiff", "autocache", "file"];

    /// The disk that the top layer of this one lies on.
    pub fn below(&self) -> Option<&Description> {
        match self {
            Self::MemDiff { below } | Self::SqlDiff { below, .. } | Self::AutoCache { below, .. } => Some(below),
            Self::Mem { .. } | Self::Sql { .. } | Self::File { .. } => None,
        }
    }
}

/// What a description leaves open.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// Whether the disk may be changed. If not, every file but a cache is opened read only, and none is created.
    pub access: DiskAccess,
    /// How the layers are opened that no write reaches: [`Mode::ReadOnly`] lets several disks share a base,
    /// [`Mode::ReadWrite`] is for those who want to commit or discard the layer above.
    pub lower_layers: Mode,
    /// Bytes of a sector where no file tells: for `mem:`, `file:` and `sql:` with `create`.
    pub sector_size: u32,
    /// Where the caches lie; it is made if it is not there.
    pub cache_directory: Option<PathBuf>,
    /// What to do about a layer that was made over another disk. A foreign cache that is adopted is emptied.
    pub parent_check: ParentCheck,
    /// For every SQLite layer.
    pub sqlite: Options,
}

impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            access: DiskAccess::Writable,
            lower_layers: Mode::ReadOnly,
            sector_size: 512,
            cache_directory: None,
            parent_check: ParentCheck::Verify,
            sqlite: Options::default(),
        }
    }
}

/// Opens what is described, and creates what it says is to be created.
///
/// Everything that exists is opened before anything is created, so that a wrong path leaves nothing behind; what was
/// created stays even if the stack is refused afterwards.
///
/// # Errors
///
/// `ReadOnly` if something would have to be created for a disk that must not be changed; `Unsupported` for a cache
/// without a directory or a key, or more than [`MAX_LAYERS`] layers; `AlreadyExists`; whatever opening the layers
/// brings, and [`LayeredDisk::new`].
pub fn resolve(description: &Description, options: &ResolveOptions) -> Result<LayeredDisk> {
    layers::layers(description, options)
        .and_then(|layers| LayeredDisk::new(layers, options.access))
        .map_err(|e| e.in_context(format_args!("the disk `{description}`")))
}
