//! A file that is written anew in its own place: in the newest format, or tight and in order.
//!
//! The new file is made whole beside the old one, which stays locked, and takes its place in one step. It is the same
//! layer in the same state: whoever recorded it as his parent still finds it.

use std::path::Path;

use super::copy::Watch;
use super::create;
use super::database::Database;
use super::format::{Format, Stored};
use super::import::Filling;
use super::journal::len_of;
use super::schema::{self, Contents, Meta};
use super::{Mode, Options, SqliteDiskLayer, State};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{Access, LayerIo};

/// How long a file was and is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Before it was written anew.
    pub before: u64,
    /// Since then.
    pub after: u64,
}

/// Writes a file of an older format anew in the newest one; `None` if it has that already, and nothing changes.
///
/// # Errors
///
/// As for [`SqliteDiskLayer::open`] and [`SqliteDiskLayer::create`], and those of `watch`; `PermissionDenied` if the
/// file cannot be written to. Whatever ends it, it leaves the old file or the new one.
pub fn upgrade(path: &Path, options: &Options, watch: &mut Watch<'_>) -> Result<Option<Rewritten>> {
    let shape = |contents: &Contents| match contents.stored {
        Stored::Rows => Some((Format::NEWEST, options.page_size)),
        Stored::Clusters(_) => None,
    };
    rewrite(path, options, watch, shape).map_err(|e| e.in_context(format!("upgrading {}", path.display())))
}

/// Writes a file anew in its own format, without free pages, and in the order of its sectors.
///
/// ```
/// use disklayer_sqlite::error::ErrorKind;
/// use disklayer_sqlite::layer::{Existing, FormatParams, LayerIo, Options, SqliteDiskLayer, compact};
///
/// let dir = tempfile::tempdir()?;
/// let (path, options) = (dir.path().join("a.dbhd"), Options::default());
/// let format = FormatParams { logically_read_only: false, len: 1 << 20, sector_size: 512 };
/// let layer = SqliteDiskLayer::create(&path, format, Existing::Keep, &options)?;
/// assert_eq!(compact(&path, &options, &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Busy);
/// layer.close()?; // nobody may have it open
/// let bytes = compact(&path, &options, &mut |_| Ok(()))?;
/// assert!(bytes.after <= bytes.before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As for [`upgrade`].
pub fn compact(path: &Path, options: &Options, watch: &mut Watch<'_>) -> Result<Rewritten> {
    let shape = |contents: &Contents| match contents.stored {
        Stored::Rows => Some((Format::Original, options.page_size)),
        Stored::Clusters(shape) => Some((Format::One, shape.block_size() as u32)),
    };
    let done = rewrite(path, options, watch, shape);
    let done = done.map_err(|e| e.in_context(format!("compacting {}", path.display())))?;
    Ok(done.unwrap_or(Rewritten { before: 0, after: 0 }))
}

fn rewrite(
    path: &Path,
    options: &Options,
    watch: &mut Watch<'_>,
    shape: impl FnOnce(&Contents) -> Option<(Format, u32)>,
) -> Result<Option<Rewritten>> {
    let files = &*options.file_system;
    let old = SqliteDiskLayer::open(path, Mode::ReadWrite, options)?;
    if old.access == Access::ReadOnly {
        return Err(Error::new(ErrorKind::PermissionDenied, "the file cannot be written to"));
    }
    let contents = old.with(|session| schema::inspect(session.connection()))?;
    let Some((format, page_size)) = shape(&contents) else {
        return old.close().map(|()| None);
    };
    let before = len_of(path, files)?;
    let meta = Meta::new(contents.logically_read_only, contents.geometry, format, page_size)?;
    create::in_place_of(
        || old.take_database(),
        path,
        files,
        |draft| {
            let mut filling = Filling { meta: &meta, source: &old, watch, files };
            filling.draft(draft, |conn| match contents.lineage {
                Some(lineage) => Ok(lineage),
                None => create::lineage(conn, None, options),
            })
        },
    )?;
    Ok(Some(Rewritten { before, after: len_of(path, files)? }))
}

impl SqliteDiskLayer {
    /// The file of a layer in which nothing has changed, still locked; the layer is closed.
    fn take_database(&self) -> Result<Database> {
        match std::mem::replace(&mut *self.state(), State::Closed) {
            State::Open(session) => Ok(session.take_database()),
            other => Err(self.refusal(&other)),
        }
    }
}
