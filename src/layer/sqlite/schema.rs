//! The tables of a dbhd: what they are, and whether a file has just these.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::clusters::Shape;
use super::database::sql_error;
use super::format::{Column, Format, Rule, Stored, Table};
use super::gate::Anchor;
use super::glance::{Ends, Glance};
use super::header::Said;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Identity, Parent};

mod write;

pub(super) use write::{make_tables, protect, write, write_lineage, write_rows};

/// The largest JSON row that is looked at, in bytes.
const JSON_LIMIT: i64 = 64 * 1024;

/// The JSON row of `meta`, as the original has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) logically_read_only: bool,
    pub(super) sector_count: u64,
    pub(super) sector_size: u32,
    /// Only format 1 has these.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) clusters: Option<Sizes>,
}

/// What format 1 adds to the row of `meta`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Sizes {
    /// Bytes of a block.
    pub(super) block_size: u32,
    /// Bytes of a cluster.
    pub(super) cluster_size: u32,
}

impl Meta {
    /// The row of a new layer.
    ///
    /// # Errors
    ///
    /// `InvalidGeometry` if pages cannot have that size.
    pub(super) fn new(logically_read_only: bool, geometry: Geometry, format: Format, block_size: u32) -> Result<Self> {
        let clusters = match format {
            Format::Original => None,
            Format::One => Some(Sizes { block_size, cluster_size: Shape::cluster_size(geometry, block_size)? }),
        };
        let (sector_count, sector_size) = (geometry.sector_count(), geometry.sector_size());
        Ok(Self { logically_read_only, sector_count, sector_size, clusters })
    }

    /// Makes the pages of a database that is still empty as the format wants them.
    pub(super) fn shape_pages(&self, conn: &Connection) -> Result<()> {
        let Some(sizes) = self.clusters else { return Ok(()) };
        // Pages that are free can be given back.
        let sql = format!("PRAGMA page_size={}; PRAGMA auto_vacuum=INCREMENTAL", sizes.block_size);
        conn.execute_batch(&sql).map_err(|e| sql_error("choosing the size of pages", e))
    }

    fn format(&self) -> Format {
        if self.clusters.is_some() { Format::One } else { Format::Original }
    }

    /// Its format, and the size of its pages if it has a say in that.
    pub(super) fn shape(&self) -> (Format, Option<u32>) {
        (self.format(), self.clusters.map(|sizes| sizes.block_size))
    }

    /// Its number and size of sectors.
    pub(super) fn geometry(&self) -> Result<Geometry> {
        Geometry::new(self.sector_count, self.sector_size)
    }

    /// How the sectors of a layer that is made with it lie.
    pub(super) fn stored(&self) -> Result<Stored> {
        self.stored_in(self.geometry()?, self.format())
    }

    /// How the sectors lie in a file of that format.
    fn stored_in(&self, geometry: Geometry, format: Format) -> Result<Stored> {
        match (format, self.clusters) {
            (Format::Original, _) => Ok(Stored::Rows),
            (Format::One, None) => Err(corrupt("its metadata lacks the sizes of blocks and clusters")),
            (Format::One, Some(sizes)) => Shape::new(geometry, sizes.block_size, sizes.cluster_size)
                .map(Stored::Clusters)
                .map_err(|e| corrupt("its sizes").because(e)),
        }
    }
}

/// The JSON row of `identity`, which the original does not have.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Lineage {
    pub(super) uuid: Uuid,
    pub(super) generation: u64,
    pub(super) parent: Option<Parent>,
}

impl Lineage {
    pub(super) fn identity(&self) -> Identity {
        Identity { uuid: self.uuid, generation: self.generation }
    }
}

/// What a file says of itself.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) geometry: Geometry,
    pub(super) stored: Stored,
    pub(super) logically_read_only: bool,
    pub(super) lineage: Option<Lineage>,
    pub(super) tables: Tables,
    /// Bytes of a page.
    pub(super) page_size: u32,
    /// Whether there may be zeroed clusters.
    pub(super) has_zeros: bool,
    /// Whether there may be rows of clusters or sectors.
    pub(super) has_rows: bool,
}

/// The tables of a file.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Where those with sectors begin.
    pub(super) roots: Vec<(&'static str, u32)>,
    pub(super) has_identity: bool,
    /// Their texts are not ours, and may have conditions.
    pub(super) are_foreign: bool,
}

impl Tables {
    /// Where a table begins.
    pub(super) fn root(&self, name: &str) -> Option<u32> {
        self.roots.iter().find(|(table, _)| *table == name).map(|(_, root)| *root)
    }
}

/// Judges a file by its header, its tables and its metadata (rule 19).
///
/// # Errors
///
/// `NotADisk`, `TooNew`, `Corrupt`.
pub(super) fn inspect(conn: &Connection) -> Result<Contents> {
    inspect_as(conn, Said::by(conn)?, None)
}

/// The same for a file of which it is known what its header says, and that may be looked at around SQLite.
pub(super) fn inspect_as(conn: &Connection, said: Said, glance: Option<&Glance>) -> Result<Contents> {
    let format = said.format()?;
    let glanced = glance.and_then(|glance| glance.tables(format));
    // Tables that are odd are no matter of a glance.
    let glance = glance.filter(|_| glanced.is_some());
    let tables = glanced.map_or_else(|| check_tables(conn, format), Ok)?;
    let mut contents = read(conn, said.page_size, format, tables, Rows::Only, glance)?;
    let ends = glance.and_then(|glance| glance.ends(&contents.tables, format));
    let ends = ends.map_or_else(|| ends_of(conn, format), Ok)?;
    check_range(&contents, &ends)?;
    contents.has_rows = ends[0] != (None, None);
    contents.has_zeros = ends.get(1).is_some_and(|ends| *ends != (None, None));
    Ok(contents)
}

/// What a file says of itself as far as it can be read: whatever else is in it, and whoever it is.
///
/// # Errors
///
/// `NotADisk` and `Corrupt`, when there are not even sectors of a known size.
pub(super) fn salvageable(conn: &Connection) -> Result<Contents> {
    let said = Said::by(conn)?;
    // The header may be what is damaged.
    let has = |format: Format| {
        let (_, common) = format.tables();
        format.tables().0.iter().chain(&common[..1]).try_for_each(|table| check_columns(conn, table))
    };
    let format = match (has(Format::One), has(Format::Original)) {
        (Ok(()), _) => Format::One,
        (Err(_), Ok(())) => Format::Original,
        (Err(error), Err(_)) if said.format().is_ok_and(|format| format == Format::One) => return Err(error),
        (Err(_), Err(error)) => return Err(error),
    };
    let has_identity = check_columns(conn, &format.tables().1[1]).is_ok();
    let tables = |has_identity| Tables { roots: Vec::new(), has_identity, are_foreign: true };
    let read = |has_identity| read(conn, said.page_size, format, tables(has_identity), Rows::First, None);
    read(has_identity).or_else(|_| read(false))
}

/// Refuses a file whose log is that of another layer: SQLite replays it into whatever file it lies beside, which gives a
/// mixture of both where every page is whole. Most logs say whose they are; it is seen if the file itself says so too.
///
/// # Errors
///
/// `Corrupt`.
pub(super) fn check_log(found: &Contents, file: Option<Arc<Anchor>>) -> Result<()> {
    let text = file.and_then(|file| Glance::only_text_in_file(file, "identity"));
    let in_file = text.and_then(|text| from_json::<Lineage>(&text, "identity").ok());
    match found.lineage.zip(in_file) {
        Some((seen, in_file)) if seen.uuid != in_file.uuid => {
            let (log, file) = (seen.uuid, in_file.uuid);
            Err(corrupt(&format!(
                "the log beside it is that of another layer ({log}, not {file}); put it where it belongs"
            )))
        }
        _ => Ok(()),
    }
}

/// Which rows of metadata there may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Only,
    First,
}

fn read(
    conn: &Connection,
    page_size: u32,
    format: Format,
    tables: Tables,
    rows: Rows,
    glance: Option<&Glance>,
) -> Result<Contents> {
    let text = |name| glance.and_then(|glance| glance.only_text(&tables, name));
    let meta: Option<Meta> = match text("meta") {
        Some(text) => Some(from_json(&text, "meta")?),
        None => json_row(conn, "SELECT octet_length(metadata), metadata FROM meta LIMIT 2", "meta", rows)?,
    };
    let meta = meta.ok_or_else(|| corrupt("table meta has no row"))?;
    let geometry = Geometry::new(meta.sector_count, meta.sector_size).map_err(|e| corrupt("its size").because(e))?;
    let stored = meta.stored_in(geometry, format)?;
    let lineage = match (tables.has_identity, text("identity")) {
        (false, _) => None,
        (true, Some(text)) => Some(from_json(&text, "identity")?),
        (true, None) => {
            json_row(conn, "SELECT octet_length(identity), identity FROM identity LIMIT 2", "identity", rows)?
        }
    };
    Ok(Contents {
        geometry,
        stored,
        logically_read_only: meta.logically_read_only,
        lineage,
        tables,
        page_size,
        has_zeros: true,
        has_rows: true,
    })
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the disk layer is damaged: {what}"))
}

/// Refuses a file whose tables are not those of its format.
fn check_tables(conn: &Connection, format: Format) -> Result<Tables> {
    let failed = |e| sql_error("reading the schema", e);
    let mut statement = conn.prepare_cached("SELECT type, name, sql, rootpage FROM sqlite_schema").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut tables = Tables::default();
    let mut strangers = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let kind: String = row.get(0).map_err(failed)?;
        let name: String = row.get(1).map_err(failed)?;
        let sql: Option<String> = row.get(2).map_err(failed)?;
        // A virtual table has no pages, and asking it for its columns would run its module.
        let root = row.get::<_, Option<i64>>(3).map_err(failed)?.and_then(|root| u32::try_from(root).ok());
        let root = root.filter(|&root| root > 1);
        let ours = |table: &&Table| table.name == name && kind == "table" && root.is_some();
        let (sectors, common) = format.tables();
        let Some(table) = sectors.iter().chain(common).find(ours) else {
            strangers.push(format!("{kind} {name}"));
            continue;
        };
        // Our own text has our own columns; any other is judged by what it makes.
        if sql.as_deref() != Some(table.sql) {
            tables.are_foreign = true;
            if !planted(Fault::ColumnsUnchecked) {
                check_columns(conn, table)?;
            }
        }
        tables.roots.extend(root.map(|root| (table.name, root)));
    }
    let (sectors, common) = format.tables();
    let has = |table: &Table| tables.roots.iter().any(|(name, _)| *name == table.name);
    let is_disk = sectors.iter().chain(&common[..1]).all(has);
    tables.has_identity = has(&common[1]);
    match (is_disk, strangers.first()) {
        (true, Some(stranger)) if !planted(Fault::StrangersAllowed) => {
            Err(corrupt(&format!("{stranger} does not belong there")))
        }
        (true, _) => Ok(tables),
        (false, _) => Err(Error::new(ErrorKind::NotADisk, "a database without the tables of a disk layer")),
    }
}

fn check_columns(conn: &Connection, table: &Table) -> Result<()> {
    let failed = |e| sql_error("reading the columns", e);
    let name = table.name;
    let plain: Option<bool> = conn
        .query_row("SELECT type = 'table' AND wr = 0 FROM pragma_table_list WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    if plain != Some(true) {
        return Err(corrupt(&format!("{name} is not a plain table")));
    }
    let sql = "SELECT name, upper(type), pk, \"notnull\", hidden FROM pragma_table_xinfo(?1) ORDER BY cid";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([name]).map_err(failed)?;
    let mut expected = table.columns.iter();
    while let Some(row) = rows.next().map_err(failed)? {
        let actual: (String, String, i64, bool, i64) =
            (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))().map_err(failed)?;
        let (column, ty, key, not_null, hidden) = &actual;
        let fits = |e: &Column| {
            e.name == column
                && e.ty == ty
                && (e.rule == Rule::Key) == (*key > 0)
                && !(e.rule == Rule::Nullable && *not_null)
                && *hidden == 0
        };
        if !expected.next().is_some_and(fits) {
            return Err(corrupt(&format!("column {column} of table {name} is not as it should be")));
        }
    }
    match expected.next() {
        None => Ok(()),
        Some(column) => Err(corrupt(&format!("table {name} lacks the column {}", column.name))),
    }
}

fn json_row<T: for<'a> Deserialize<'a>>(conn: &Connection, sql: &str, table: &str, allowed: Rows) -> Result<Option<T>> {
    let failed = |e| sql_error("reading the metadata", e);
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    if row.get::<_, i64>(0).map_err(failed)? > JSON_LIMIT {
        return Err(corrupt(&format!("the row of table {table} is too long")));
    }
    let text = row.get_ref(1).map_err(failed)?.as_str().map_err(|e| corrupt(table).because(e))?;
    let value = from_json(text, table)?;
    match rows.next().map_err(failed)? {
        None => Ok(Some(value)),
        Some(_) if allowed == Rows::First || planted(Fault::SecondRowIgnored) => Ok(Some(value)),
        Some(_) => Err(corrupt(&format!("table {table} has more than one row"))),
    }
}

fn from_json<T: for<'a> Deserialize<'a>>(text: &str, table: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| corrupt(&format!("the row of table {table}")).because(e))
}

/// The ends of the tables with sectors, in their order.
fn ends_of(conn: &Connection, format: Format) -> Result<Vec<Ends>> {
    let sql = match format {
        Format::Original => "SELECT (SELECT min(sector) FROM sectors), (SELECT max(sector) FROM sectors)",
        Format::One => {
            "SELECT (SELECT min(cluster) FROM clusters), (SELECT max(cluster) FROM clusters), \
             (SELECT start FROM zeros ORDER BY start LIMIT 1), \
             (SELECT stop - 1 FROM zeros ORDER BY start DESC LIMIT 1)"
        }
    };
    let ends = |row: &rusqlite::Row<'_>| {
        let ends = |table: usize| Ok((row.get(2 * table)?, row.get(2 * table + 1)?));
        (0..format.tables().0.len()).map(ends).collect()
    };
    let found = conn.prepare_cached(sql).and_then(|mut ends_of| ends_of.query_row([], ends));
    found.map_err(|e| sql_error("reading the sectors", e))
}

/// Refuses a file with sectors that its size has no room for.
fn check_range(contents: &Contents, ends: &[Ends]) -> Result<()> {
    let within = |what: &str, ends: Ends, count: u64| match ends {
        _ if planted(Fault::SectorRangeUnchecked) => Ok(()),
        (Some(first), _) if first < 0 => Err(corrupt(&format!("it has a {what} {first}"))),
        (_, Some(last)) if last as u64 >= count => {
            Err(corrupt(&format!("it has a {what} {last}, and its size is {count} {what}s")))
        }
        _ => Ok(()),
    };
    match &contents.stored {
        Stored::Rows => within("sector", ends[0], contents.geometry.sector_count()),
        Stored::Clusters(shape) => {
            within("cluster", ends[0], shape.clusters())?;
            within("zeroed cluster", ends[1], shape.clusters())
        }
    }
}
