//! What the caller may choose beyond the format.

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
    /// Changes are committed, with a sync, when more than this many bytes wait for a flush; after a write of 64 KiB or more,
    /// when an eighth of that does.
    pub dirty_limit: u64,
    /// New pages of a transaction of so many bytes go to their places in the file at once and not to the log, which is half
    /// the writing and one more sync; with `u64::MAX` never.
    pub direct_from: u64,
    /// In format 1, short writes wait for the next commit in so many bytes of blocks, where they are put into the order of
    /// the disk: the more of them, the fewer pages change. What does not fit goes to SQLite before the commit, and once
    /// the request is done.
    pub write_back: u64,
    /// SQLite keeps about so many bytes of pages in memory; what a longer transaction changes goes to the log early, which
    /// costs nothing where pages are changed in order.
    pub cache_bytes: u64,
    /// Adjacent writes of SQLite are handed to the system as one, of at most so many bytes and at most 124 KiB, which is
    /// what SQLite's own VFS takes; with 0 as they come.
    pub gather: u64,
    /// The log is copied into the file when a commit has made it longer than so many bytes. It is at most so long, and what
    /// one transaction changes besides. A sync of a log that grows takes a journalling file system up to twice as long as
    /// one of a log that is written over, so a short log suits small writes with a flush each, and a long one what
    /// gathers more.
    pub log_limit: u64,
    /// So many bytes of a file are read through a mapping, which is quicker: for files that are trusted. If such a file is
    /// cut short by somebody, or its drive fails, the process dies (SIGBUS) where it would have got an error. SQLite maps
    /// 2 GiB at most.
    pub mapped_bytes: u64,
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
            dirty_limit: 32 << 20,
            direct_from: 512 << 10,
            write_back: 32 << 20,
            cache_bytes: 8 << 20,
            gather: 124 << 10,
            log_limit: 1 << 20,
            mapped_bytes: 0,
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
