//! The tables of a dbhd: what they are, and whether a file has just these.

use rusqlite::{Connection, OptionalExtension, ToSql};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::clusters::Shape;
use super::database::sql_error;
use super::format::{APPLICATION_ID, Column, Format, Rule, Stored, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Identity, Parent};

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
    pub(super) has_identity_table: bool,
}

/// Judges a file by its header, its tables and its metadata (rule 19).
///
/// # Errors
///
/// `NotADisk`, `TooNew`, `Corrupt`.
pub(super) fn inspect(conn: &Connection) -> Result<Contents> {
    let format = check_header(conn)?;
    let has_identity_table = check_tables(conn, format)?;
    let contents = read(conn, format, has_identity_table, Rows::Only)?;
    check_range(conn, &contents)?;
    Ok(contents)
}

/// What a file says of itself as far as it can be read: whatever else is in it, and whoever it is.
///
/// # Errors
///
/// `NotADisk` and `Corrupt`, when there are not even sectors of a known size.
pub(super) fn salvageable(conn: &Connection) -> Result<Contents> {
    // The header may be what is damaged.
    let has = |format: Format| {
        let (_, common) = format.tables();
        format.tables().0.iter().chain(&common[..1]).try_for_each(|table| check_columns(conn, table))
    };
    let format = match (has(Format::One), has(Format::Original)) {
        (Ok(()), _) => Format::One,
        (Err(_), Ok(())) => Format::Original,
        (Err(error), Err(_)) if check_header(conn).is_ok_and(|format| format == Format::One) => return Err(error),
        (Err(_), Err(error)) => return Err(error),
    };
    let has_identity = check_columns(conn, &format.tables().1[1]).is_ok();
    read(conn, format, has_identity, Rows::First).or_else(|_| read(conn, format, false, Rows::First))
}

/// Which rows of metadata there may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Only,
    First,
}

fn read(conn: &Connection, format: Format, has_identity_table: bool, rows: Rows) -> Result<Contents> {
    let meta: Meta = json_row(conn, "SELECT octet_length(metadata), metadata FROM meta LIMIT 2", "meta", rows)?
        .ok_or_else(|| corrupt("table meta has no row"))?;
    let geometry = Geometry::new(meta.sector_count, meta.sector_size).map_err(|e| corrupt("its size").because(e))?;
    let stored = meta.stored_in(geometry, format)?;
    let lineage = match has_identity_table {
        true => json_row(conn, "SELECT octet_length(identity), identity FROM identity LIMIT 2", "identity", rows)?,
        false => None,
    };
    Ok(Contents { geometry, stored, logically_read_only: meta.logically_read_only, lineage, has_identity_table })
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the disk layer is damaged: {what}"))
}

fn check_header(conn: &Connection) -> Result<Format> {
    let pragma = |name| {
        conn.prepare_cached(name)
            .and_then(|mut pragma| pragma.query_row([], |row| row.get::<_, i32>(0)))
            .map_err(|e| sql_error("reading the file header", e))
    };
    match (pragma("PRAGMA application_id")?, pragma("PRAGMA user_version")?) {
        (0, _) => Ok(Format::Original),
        (APPLICATION_ID, version) => match Format::of_version(version) {
            Some(format) => Ok(format),
            None if planted(Fault::FormatUnchecked) => Ok(Format::NEWEST),
            None => {
                let newest = Format::NEWEST.version();
                let what = format!("the file has format {version}, and this version knows up to {newest}");
                Err(Error::new(ErrorKind::TooNew, what))
            }
        },
        (other, _) => {
            let what = format!("a database of another application ({other:#x})");
            Err(Error::new(ErrorKind::NotADisk, what))
        }
    }
}

/// Refuses a file whose tables are not those of its format; whether it has the one that it may lack, `identity`.
fn check_tables(conn: &Connection, format: Format) -> Result<bool> {
    let failed = |e| sql_error("reading the schema", e);
    let mut statement = conn.prepare_cached("SELECT type, name, sql, rootpage FROM sqlite_schema").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut found = Vec::new();
    let mut strangers = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let kind: String = row.get(0).map_err(failed)?;
        let name: String = row.get(1).map_err(failed)?;
        let sql: Option<String> = row.get(2).map_err(failed)?;
        // A virtual table has no pages, and asking it for its columns would run its module.
        let has_pages = row.get::<_, Option<i64>>(3).map_err(failed)?.is_some_and(|root| root > 1);
        let ours = |table: &&Table| table.name == name && kind == "table" && has_pages;
        let (sectors, common) = format.tables();
        let Some(table) = sectors.iter().chain(common).find(ours) else {
            strangers.push(format!("{kind} {name}"));
            continue;
        };
        // Our own text has our own columns; any other is judged by what it makes.
        if sql.as_deref() != Some(table.sql) && !planted(Fault::ColumnsUnchecked) {
            check_columns(conn, table)?;
        }
        found.push(table.name);
    }
    let (sectors, common) = format.tables();
    let is_disk = sectors.iter().chain(&common[..1]).all(|table| found.contains(&table.name));
    match (is_disk, strangers.first()) {
        (true, Some(stranger)) if !planted(Fault::StrangersAllowed) => {
            Err(corrupt(&format!("{stranger} does not belong there")))
        }
        (true, _) => Ok(found.contains(&common[1].name)),
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
    let value = serde_json::from_str(text).map_err(|e| corrupt(&format!("the row of table {table}")).because(e))?;
    match rows.next().map_err(failed)? {
        None => Ok(Some(value)),
        Some(_) if allowed == Rows::First || planted(Fault::SecondRowIgnored) => Ok(Some(value)),
        Some(_) => Err(corrupt(&format!("table {table} has more than one row"))),
    }
}

fn check_range(conn: &Connection, contents: &Contents) -> Result<()> {
    let failed = |e| sql_error("reading the sectors", e);
    let ends = |sql| {
        let ends = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        conn.prepare_cached(sql).and_then(|mut ends_of| ends_of.query_row([], ends)).map_err(failed)
    };
    let within = |what: &str, ends: (Option<i64>, Option<i64>), count: u64| match ends {
        _ if planted(Fault::SectorRangeUnchecked) => Ok(()),
        (Some(first), _) if first < 0 => Err(corrupt(&format!("it has a {what} {first}"))),
        (_, Some(last)) if last as u64 >= count => {
            Err(corrupt(&format!("it has a {what} {last}, and its size is {count} {what}s")))
        }
        _ => Ok(()),
    };
    match &contents.stored {
        Stored::Rows => {
            let sql = "SELECT (SELECT min(sector) FROM sectors), (SELECT max(sector) FROM sectors)";
            within("sector", ends(sql)?, contents.geometry.sector_count())
        }
        Stored::Clusters(shape) => {
            let sql = "SELECT (SELECT min(cluster) FROM clusters), (SELECT max(cluster) FROM clusters)";
            within("cluster", ends(sql)?, shape.clusters())?;
            let sql = "SELECT (SELECT start FROM zeros ORDER BY start LIMIT 1), \
                       (SELECT stop - 1 FROM zeros ORDER BY start DESC LIMIT 1)";
            within("zeroed cluster", ends(sql)?, shape.clusters())
        }
    }
}

/// Makes the tables in place of whatever is there; the caller has a transaction open.
pub(super) fn write(conn: &Connection, meta: &Meta, lineage: &Lineage) -> Result<()> {
    let failed = |e| sql_error("writing the tables", e);
    let run = |sql: &str, params: &[&dyn ToSql]| conn.prepare_cached(sql)?.execute(params);
    let format = meta.format();
    let (sectors, common) = format.tables();
    if is_ours(conn, format).map_err(failed)? {
        // The same tables: emptying them keeps every prepared statement valid.
        for table in sectors.iter().chain(common) {
            run(&format!("DELETE FROM {}", table.name), &[]).map_err(failed)?;
        }
    } else {
        let drop_old = "SELECT coalesce(group_concat(format('DROP %s %w', type, name), ';'), '') FROM sqlite_schema";
        let drop_old: String = conn.query_row(drop_old, [], |row| row.get(0)).map_err(failed)?;
        let tables: Vec<&str> = sectors.iter().chain(common).map(|table| table.sql).collect();
        let header = format!("PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={}", format.version());
        conn.execute_batch(&format!("{drop_old};{};{header}", tables.join(";"))).map_err(failed)?;
    }
    run("INSERT INTO meta VALUES (?1)", &[&to_json(meta)?]).map_err(failed)?;
    run("INSERT INTO identity VALUES (?1)", &[&to_json(lineage)?]).map(drop).map_err(failed)
}

/// Whether the database has just the tables that [`write`] makes.
fn is_ours(conn: &Connection, format: Format) -> rusqlite::Result<bool> {
    let (sectors, common) = format.tables();
    let mut statement = conn.prepare_cached("SELECT sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let sql: Option<&str> = row.get_ref(0)?.as_str_or_null()?;
        if !sectors.iter().chain(common).any(|table| Some(table.sql) == sql) {
            return Ok(false);
        }
        count += 1;
    }
    Ok(count == sectors.len() + common.len())
}

/// Replaces the row of `identity`; the caller has a transaction open.
pub(super) fn write_lineage(conn: &Connection, lineage: &Lineage) -> Result<()> {
    let failed = |e| sql_error("writing the identity", e);
    let mut update = conn.prepare_cached("UPDATE identity SET identity = ?1").map_err(failed)?;
    let json = to_json(lineage)?;
    match update.execute([&json]).map_err(failed)? {
        0 => conn.execute("INSERT INTO identity VALUES (?1)", [&json]).map(drop).map_err(failed),
        _ => Ok(()),
    }
}

/// Says of a layer that it is logically read only; the caller has a transaction open.
pub(super) fn protect(conn: &Connection) -> Result<()> {
    let sql = "UPDATE meta SET metadata = json_set(metadata, '$.logically_read_only', json('true'))";
    conn.execute(sql, []).map(drop).map_err(|e| sql_error("writing the metadata", e))
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::new(ErrorKind::Io, "writing JSON").because(e))
}
