//! The file of an automatic cache: found by its key, made if it is not there, and never trusted over another disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ResolveOptions;
use super::fill_only::FillOnly;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{
    DiskLayerMetadata, Existing, FormatOnAttachSqliteDiskLayer, IncompleteFormatParams, LayerAttach, LayerIo, Mode,
    Options, SqliteDiskLayer,
};
use crate::stack::{DiskAccess, ParentCheck};

/// The longest name that is tried, in bytes; file systems stop at 255, and SQLite puts other files beside.
const LONGEST_NAME: usize = 200;

/// A cache that is opened or created when it is stacked.
pub(super) struct AutoCache {
    directory: PathBuf,
    key: String,
    access: DiskAccess,
    parent_check: ParentCheck,
    sqlite: Options,
}

impl AutoCache {
    pub(super) fn new(key: &str, options: &ResolveOptions) -> Result<Self> {
        let Some(directory) = options.cache_directory.clone() else {
            let what = "an automatic cache needs a directory for caches, and none is given";
            return Err(Error::new(ErrorKind::Unsupported, what));
        };
        if file_name(key).len() > LONGEST_NAME {
            let what = format!("the key of a cache is at most {LONGEST_NAME} bytes long as a file name");
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        Ok(Self {
            directory,
            key: key.to_owned(),
            access: options.access,
            parent_check: options.parent_check,
            sqlite: options.sqlite.clone(),
        })
    }

    /// A cache in the write path.
    pub(super) fn attach_writable(self, below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        let what = "a cache without a disk below it";
        let below = below.ok_or_else(|| Error::new(ErrorKind::NothingBelow, what))?;
        let path = self.directory.join(file_name(&self.key_over(below)?));
        match SqliteDiskLayer::open(&*path, Mode::ReadWrite, &self.sqlite) {
            Ok(layer) => self.checked(layer, &path, below),
            Err(error) if error.kind() == ErrorKind::NotFound => self.create(path, below),
            Err(error) => Err(error),
        }
    }

    /// A cache that is filled and takes no writes: it would be the only one that has them, and a cache may be lost.
    pub(super) fn attach_fill_only(self, below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        let identity = below.and_then(|below| below.identity);
        Ok(Arc::new(FillOnly::new(self.attach_writable(below)?, identity)))
    }

    fn key_over(&self, below: &DiskLayerMetadata) -> Result<String> {
        match (self.key.as_str(), below.identity) {
            ("", Some(identity)) => Ok(identity.uuid.to_string()),
            ("", None) => {
                let what = "the disk below has no identity, so its cache needs a key: autocache:<key>:<disk>";
                Err(Error::new(ErrorKind::Unsupported, what))
            }
            (key, _) => Ok(key.to_owned()),
        }
    }

    /// The cache, if what it holds is the disk's; one that the caller adopts is emptied, or it would go on to lie.
    fn checked(&self, layer: SqliteDiskLayer, path: &Path, below: &DiskLayerMetadata) -> Result<Arc<dyn LayerIo>> {
        let metadata = layer.metadata();
        let same_size = metadata.geometry == below.geometry;
        match (metadata.parent, self.parent_check) {
            (Some(parent), _) if same_size && parent.allows(Some(below)) => {}
            // Made by a version that remembers no parent.
            (None, _) if same_size => {}
            (_, ParentCheck::Adopt) if same_size => layer.clear()?,
            _ => {
                let path = path.display();
                let what =
                    format!("the cache {path} is of another disk, or that one has changed without it; remove it");
                return Err(Error::new(ErrorKind::ParentMismatch, what));
            }
        }
        Ok(Arc::new(layer))
    }

    fn create(self, path: PathBuf, below: &DiskLayerMetadata) -> Result<Arc<dyn LayerIo>> {
        if self.access == DiskAccess::ReadOnly {
            let what = format!("creating the cache {} for a disk that is opened read only", path.display());
            return Err(Error::new(ErrorKind::ReadOnly, what));
        }
        std::fs::create_dir_all(&self.directory)
            .map_err(|e| Error::from_io(format!("making the cache directory {}", self.directory.display()), e))?;
        let format = IncompleteFormatParams::default();
        let layer = FormatOnAttachSqliteDiskLayer::new(path, format, Existing::Keep, self.sqlite);
        Box::new(layer).attach(Some(below))
    }
}

/// The file of the cache with this key, one for each key, also where upper and lower case are the same.
///
/// Nothing in it separates directories or ends a name, and the prefix keeps clear of hidden and reserved names.
fn file_name(key: &str) -> String {
    let mut name = String::from("cache-");
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name + ".dbhd"
}
