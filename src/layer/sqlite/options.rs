//! What the caller may choose beyond the format.

use std::fmt;
use std::sync::Arc;

use crate::layer::{FileSystem, Native};

/// What the caller may choose beyond the format.
#[derive(Clone)]
pub struct Options {
    /// Changes are committed, with a sync, when more than this many bytes wait for a flush.
    pub dirty_limit: u64,
    /// SQLite keeps about so many bytes of pages in memory; what a longer transaction changes goes to the log early.
    pub cache_bytes: u64,
    /// Adjacent writes of SQLite are handed to the system as one, of at most so many bytes and at most 124 KiB, which is
    /// what SQLite's own VFS takes; with 0 as they come.
    pub gather: u64,
    /// Where new identities and generations come from; SQLite's `randomblob` if not given.
    pub identities: Option<Arc<dyn Fn() -> u128 + Send + Sync>>,
    /// Where files are.
    pub file_system: Arc<dyn FileSystem>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dirty_limit: 16 << 20,
            cache_bytes: 2 << 20,
            gather: 124 << 10,
            identities: None,
            file_system: Arc::new(Native),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("dirty_limit", &self.dirty_limit).finish_non_exhaustive()
    }
}
