//! What may be chosen when a layer is made or opened.

use std::fmt;
use std::sync::Arc;

use super::Format;
use crate::layer::{FileSystem, Native};

/// What the caller may choose beyond the format.
#[derive(Clone)]
pub struct Options {
    /// The format of new files; what there is keeps its own.
    pub format: Format,
    /// Bytes of a page of new files of format 1, and of the blocks that they keep sectors in: a power of two from 512
    /// to 32768. Small ones suit small random writes, large ones long transfers.
    pub page_size: u32,
    /// Changes are committed, with a sync, when more than this many bytes wait for a flush.
    pub dirty_limit: u64,
    /// SQLite keeps about so many bytes of pages in memory; what a longer transaction changes goes to the log early.
    pub cache_bytes: u64,
    /// Where new identities and generations come from; SQLite's `randomblob` if not given.
    pub identities: Option<Arc<dyn Fn() -> u128 + Send + Sync>>,
    /// Where files are.
    pub file_system: Arc<dyn FileSystem>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            page_size: 4096,
            dirty_limit: 16 << 20,
            cache_bytes: 2 << 20,
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
