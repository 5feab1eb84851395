//! A new layer that is filled from another in one go.
//!
//! Nobody reads the file before it is whole, synced and has its name, so it needs neither a journal nor a log while it
//! is filled, and clusters are written in order behind the tables that SQLite has made.

use std::path::Path;

use rusqlite::Connection;

use super::btree::Table;
use super::clusters::{Bulk, Shape, zeros};
use super::copy::{Through, Watch, copy};
use super::create::{self, Making};
use super::database::sql_error;
use super::format::Stored;
use super::schema::{self, Lineage, Meta};
use super::{Existing, IncompleteFormatParams, Location, Mode, Options, SqliteDiskLayer};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::{FileSystem, LayerIo, Wanted};

impl SqliteDiskLayer {
    /// Creates a layer with every sector that `source` has: what is absent there is absent here, what is zeros takes no
    /// room. It has an identity of its own and no parent.
    ///
    /// ```
    /// use disklayer_sqlite::layer::*;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let (image, path) = (dir.path().join("base.img"), dir.path().join("base.dbhd"));
    /// std::fs::write(&image, [[7; 512], [0; 512]].concat())?;
    /// let image = FileDisk::open(&image, 512, Mode::ReadOnly)?;
    /// let (format, options) = (IncompleteFormatParams::default(), Options::default());
    /// let mut done = 0;
    /// let mut watch = |at: Progress| Ok(done = at.done); // an error ends it, and leaves no file
    /// let layer = SqliteDiskLayer::import(&path, format, &image, Existing::Keep, &options, &mut watch)?;
    /// assert_eq!((layer.metadata().geometry.sector_count(), done), (2, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The extents of zeros wait in memory until the rest is written: 16 bytes each.
    ///
    /// # Errors
    ///
    /// As for [`SqliteDiskLayer::create`], and those of `source` and `watch`; `SizeMismatch` if `format` has fewer
    /// sectors than `source`. Whatever ends it, it leaves the old file or the new one.
    pub fn import(
        at: impl Into<Location>,
        format: IncompleteFormatParams,
        source: &dyn LayerIo,
        existing: Existing,
        options: &Options,
        watch: &mut Watch<'_>,
    ) -> Result<Self> {
        let location = at.into();
        let size = source.metadata().geometry;
        let geometry = Geometry::from_len(format.len.unwrap_or(size.len()), size.sector_size())?;
        if geometry.sector_count() < size.sector_count() {
            let what = format!("{} sectors into a layer of {}", size.sector_count(), geometry.sector_count());
            return Err(Error::new(ErrorKind::SizeMismatch, what));
        }
        let meta = Meta::new(format.logically_read_only, geometry, options.format, options.page_size)?;
        let mut filling = Filling { meta: &meta, source, watch, files: &*options.file_system };
        let draw = |conn: &Connection| create::lineage(conn, None, options);
        match &location {
            Location::Memory(file) => {
                create::in_memory(file, &meta, existing, |conn| filling.through(conn, &draw(conn)?))
            }
            Location::File(path) => {
                create::in_file(path, existing, options, Making::Filled, |draft| filling.draft(draft, draw))
                    .map_err(|e| e.in_context(format!("importing into {}", path.display())))
            }
        }?;
        Self::open(location, Mode::ReadWrite, options)
    }
}

/// A file that is being filled.
pub(super) struct Filling<'a, 'w> {
    pub(super) meta: &'a Meta,
    pub(super) source: &'a dyn LayerIo,
    pub(super) watch: &'a mut Watch<'w>,
    pub(super) files: &'a dyn FileSystem,
}

impl Filling<'_, '_> {
    /// Makes all of a draft.
    pub(super) fn draft(&mut self, draft: &Path, lineage: impl FnOnce(&Connection) -> Result<Lineage>) -> Result<()> {
        let conn = create::open_draft(draft, self.meta, self.files)?;
        let lineage = lineage(&conn)?;
        match self.meta.stored()? {
            Stored::Rows => {
                self.through(&conn, &lineage)?;
                create::finish_draft(conn, draft, self.files)
            }
            Stored::Clusters(shape) => {
                schema::write(&conn, self.meta, &lineage)?;
                let zeroed = self.clusters(conn, draft, shape)?;
                let conn = create::open_draft(draft, self.meta, self.files)?;
                zeroed.into_iter().try_for_each(|extent| zeros::insert(&conn, extent))?;
                create::finish_draft(conn, draft, self.files)
            }
        }
    }

    /// In the way that every change goes.
    fn through(&mut self, conn: &Connection, lineage: &Lineage) -> Result<()> {
        schema::write(conn, self.meta, lineage)?;
        let geometry = self.meta.geometry()?;
        let layout = self.meta.stored()?.layout(geometry);
        let mut through = Through { conn, layout, sector_size: geometry.sector_size() as usize };
        copy(self.source, &mut through, self.watch)
    }

    /// Behind the tables that are in the transaction of `conn`; the extents of zeros.
    fn clusters(&mut self, conn: Connection, draft: &Path, shape: Shape) -> Result<Vec<std::ops::Range<u64>>> {
        let failed = |e| sql_error("writing the new file", e);
        let number = |sql| conn.query_row(sql, [], |row| row.get::<_, u32>(0)).map_err(failed);
        let root = number("SELECT rootpage FROM sqlite_schema WHERE name = 'clusters'")?;
        let (pages, page_size) = (number("PRAGMA page_count")?, number("PRAGMA page_size")?);
        create::leave_draft(conn)?;
        let opened = self.files.open(draft, Wanted::Writing);
        let (file, _) = opened.map_err(|e| Error::from_io("writing the new file", e))?;
        let table = Table::new(&*file, page_size as usize, pages, root)?;
        let mut bulk = Bulk::new(shape, table);
        copy(self.source, &mut bulk, self.watch)?;
        bulk.finish()
    }
}
