//! Whether a file is whole, and getting out of it what can be read.

use std::ops::Range;
use std::path::Path;

use super::database::{Database, Left, sql_error};
use super::scan::{misfits, scan};
use super::schema::{self, Contents, Lineage};
use super::{Existing, FormatParams, Location, Mode, Options, SqliteDiskLayer, structure};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::{Below, Durability, Identity, LayerIo, Parent};

/// What a check has found.
#[derive(Debug, Default)]
pub struct Checkup {
    /// Why `open` refuses the file, or would if it looked at all of it.
    pub refusal: Option<Error>,
    /// Number and size of sectors, if the file says.
    pub geometry: Option<Geometry>,
    /// Who it is, if the file says.
    pub identity: Option<Identity>,
    /// What it was made over, if the file says.
    pub parent: Option<Parent>,
    /// How many sectors are present and can be read.
    pub present: u64,
    /// Where sectors cannot be read. Not all of them need to have been present.
    pub damaged: Vec<Range<u64>>,
    /// What SQLite says of the pages.
    pub misfits: Vec<String>,
}

impl Checkup {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.refusal.is_none() && self.damaged.is_empty() && self.misfits.is_empty()
    }
}

/// What could be got out of a file.
#[derive(Debug)]
pub struct Salvaged {
    /// How many sectors.
    pub sectors: u64,
    /// Where sectors could not be read.
    pub lost: Vec<Range<u64>>,
}

/// Checks all of a file, and changes nothing.
///
/// ```
/// use disklayer_sqlite::error::ErrorKind;
/// use disklayer_sqlite::layer::{Options, check};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("a.dbhd");
/// assert_eq!(check(&path, &Options::default()).unwrap_err().kind(), ErrorKind::NotFound);
/// std::fs::write(&path, "a text")?;
/// let found = check(&path, &Options::default())?; // it could be looked at, so this is no error
/// assert!(!found.is_whole());
/// assert_eq!(found.refusal.map(|e| e.kind()), Some(ErrorKind::NotADisk));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `NotFound`, `PermissionDenied`, `Busy`, `Io`: what keeps the file from being looked at. That it is damaged, or no
/// disk layer, is in what is returned.
pub fn check(path: &Path, options: &Options) -> Result<Checkup> {
    let mut checkup = Checkup::default();
    let found = look(path, options, &mut checkup);
    match found.map_err(|e| e.in_context(format!("checking {}", path.display()))) {
        Err(error) if !tells_of_the_file(&error) => Err(error),
        Err(error) => {
            checkup.refusal.get_or_insert(error);
            Ok(checkup)
        }
        Ok(()) => Ok(checkup),
    }
}

fn tells_of_the_file(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotADisk | ErrorKind::Corrupt | ErrorKind::TooNew)
}

/// What is wrong with the file, if it is that.
fn refusal(judged: Result<()>) -> Result<Option<Error>> {
    match judged {
        Err(error) if !tells_of_the_file(&error) => Err(error),
        judged => Ok(judged.err()),
    }
}

fn look(path: &Path, options: &Options, checkup: &mut Checkup) -> Result<()> {
    let mut database = Database::connect(&Location::from(path), Mode::ReadOnly, options)?;
    let judged = schema::inspect(&database.conn)
        .and_then(|found| structure::check(&database.conn, &found, path, &*options.file_system, None));
    checkup.refusal = refusal(judged)?;
    let contents = schema::salvageable(&database.conn)?;
    checkup.geometry = Some(contents.geometry);
    checkup.identity = contents.lineage.map(|lineage| lineage.identity());
    checkup.parent = contents.lineage.and_then(|lineage| lineage.parent);
    // The tables are ours: what remains takes as long as the file is large.
    database.unbound()?;
    checkup.misfits = misfits(&database.conn)?;
    checkup.damaged = scan(&database.conn, contents.geometry, contents.stored, &mut |sectors, _| {
        checkup.present += sectors.end - sectors.start;
        Ok(())
    })?;
    if checkup.is_whole() {
        // What opening does not take the time for if the file is large.
        checkup.refusal = refusal(structure::fits(&database.conn, &contents))?;
    }
    Ok(())
}

/// Writes what can be read of `path` into a new layer at `to`, where nothing is, of the same format. A layer that is whole
/// keeps its identity; one that lost something is another state of it.
///
/// # Errors
///
/// As for [`check`], and `Corrupt` when not even the size can be read; `AlreadyExists` and its like for `to`.
pub fn salvage(path: &Path, to: &Path, options: &Options) -> Result<Salvaged> {
    let failed = |e: Error| e.in_context(format!("salvaging {}", path.display()));
    let mut database = Database::connect(&Location::from(path), Mode::ReadOnly, options).map_err(failed)?;
    let contents = schema::salvageable(&database.conn).map_err(failed)?;
    database.unbound()?;
    let options = &contents.stored.options(options);
    // Only what can be changed can be told of zeros; that it must not be is said when all is there.
    let format = FormatParams {
        logically_read_only: false,
        len: contents.geometry.len(),
        sector_size: contents.geometry.sector_size(),
    };
    let layer = SqliteDiskLayer::create(to, format, Existing::Keep, options)?;
    let mut count = 0;
    let lost = scan(&database.conn, contents.geometry, contents.stored, &mut |sectors, data| {
        count += sectors.end - sectors.start;
        match data {
            Some(data) => layer.write(sectors.start, data, Durability::Flushed),
            None => layer.unmap(sectors.start, sectors.end - sectors.start, Below::Something),
        }
    })?;
    layer.close()?;
    keep_identity(to, &contents, &lost, options)?;
    Ok(Salvaged { sectors: count, lost })
}

/// Gives the new file what the old one said of itself.
fn keep_identity(path: &Path, found: &Contents, lost: &[Range<u64>], options: &Options) -> Result<()> {
    let database = Database::connect(&Location::from(path), Mode::ReadWrite, options)?;
    let made = schema::inspect(&database.conn)?.lineage;
    database.accept(Mode::ReadWrite, Left::Something)?;
    let failed = |e| sql_error("writing the identity", e);
    database.conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    if let Some(lineage) = found.lineage {
        let generation = match made {
            Some(made) if !lost.is_empty() => made.generation,
            _ => lineage.generation,
        };
        schema::write_lineage(&database.conn, &Lineage { generation, ..lineage })?;
    }
    if found.logically_read_only {
        schema::protect(&database.conn)?;
    }
    database.conn.execute_batch("COMMIT").map_err(failed)?;
    database.close()
}
