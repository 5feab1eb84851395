//! The tables of a dbhd: what they are, and whether a file has just these.

use rusqlite::{Connection, OptionalExtension, ToSql};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::database::sql_error;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Identity, Parent};

/// "dbhd", in the header of files that are made here; the original leaves 0.
pub(super) const APPLICATION_ID: i32 = 0x6462_6864;
/// The format of such a file, in `user_version`.
pub(super) const FORMAT: i32 = 0;

pub(super) const SECTORS: &str = "CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data BLOB)";
pub(super) const META: &str = "CREATE TABLE meta(metadata TEXT NOT NULL)";
pub(super) const IDENTITY: &str = "CREATE TABLE identity(identity TEXT NOT NULL)";

/// A column: name, type, whether it is (part of) the primary key.
type Column = (&'static str, &'static str, bool);

/// Table, text as written here, columns.
const TABLES: [(&str, &str, &[Column]); 3] = [
    ("sectors", SECTORS, &[("sector", "INTEGER", true), ("data", "BLOB", false)]),
    ("meta", META, &[("metadata", "TEXT", false)]),
    ("identity", IDENTITY, &[("identity", "TEXT", false)]),
];

/// The largest JSON row that is looked at, in bytes.
const JSON_LIMIT: i64 = 64 * 1024;

/// The JSON row of `meta`, as the original has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) logically_read_only: bool,
    pub(super) sector_count: u64,
    pub(super) sector_size: u32,
}

impl Meta {
    pub(super) fn new(logically_read_only: bool, geometry: Geometry) -> Self {
        Self { logically_read_only, sector_count: geometry.sector_count(), sector_size: geometry.sector_size() }
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
    check_header(conn)?;
    let found = check_tables(conn)?;
    let meta: Meta = json_row(conn, "SELECT octet_length(metadata), metadata FROM meta LIMIT 2", "meta")?
        .ok_or_else(|| corrupt("table meta has no row"))?;
    let geometry = Geometry::new(meta.sector_count, meta.sector_size).map_err(|e| corrupt("its size").because(e))?;
    let lineage = match found.identity {
        true => json_row(conn, "SELECT octet_length(identity), identity FROM identity LIMIT 2", "identity")?,
        false => None,
    };
    check_range(conn, geometry)?;
    let has_identity_table = found.identity;
    Ok(Contents { geometry, logically_read_only: meta.logically_read_only, lineage, has_identity_table })
}

/// What a file says of itself as far as it can be read: whatever else is in it, and whoever it is.
///
/// # Errors
///
/// `NotADisk` and `Corrupt`, when there are not even sectors of a known size.
pub(super) fn salvageable(conn: &Connection) -> Result<Contents> {
    check_columns(conn, "sectors", TABLES[0].2)?;
    check_columns(conn, "meta", TABLES[1].2)?;
    let meta: Meta = json_row(conn, "SELECT octet_length(metadata), metadata FROM meta LIMIT 1", "meta")?
        .ok_or_else(|| corrupt("table meta has no row"))?;
    let geometry = Geometry::new(meta.sector_count, meta.sector_size).map_err(|e| corrupt("its size").because(e))?;
    let lineage = check_columns(conn, "identity", TABLES[2].2)
        .and_then(|()| json_row(conn, "SELECT octet_length(identity), identity FROM identity LIMIT 1", "identity"));
    let (has_identity_table, lineage) = (lineage.is_ok(), lineage.ok().flatten());
    Ok(Contents { geometry, logically_read_only: meta.logically_read_only, lineage, has_identity_table })
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the disk layer is damaged: {what}"))
}

fn check_header(conn: &Connection) -> Result<()> {
    let pragma = |name| {
        conn.prepare_cached(name)
            .and_then(|mut pragma| pragma.query_row([], |row| row.get::<_, i32>(0)))
            .map_err(|e| sql_error("reading the file header", e))
    };
    match (pragma("PRAGMA application_id")?, pragma("PRAGMA user_version")?) {
        (0, _) | (APPLICATION_ID, FORMAT) => Ok(()),
        (_, newer) if newer != FORMAT && planted(Fault::FormatUnchecked) => Ok(()),
        (APPLICATION_ID, newer) => {
            let what = format!("the file has format {newer}, and this version knows up to {FORMAT}");
            Err(Error::new(ErrorKind::TooNew, what))
        }
        (other, _) => {
            let what = format!("a database of another application ({other:#x})");
            Err(Error::new(ErrorKind::NotADisk, what))
        }
    }
}

/// Which of the tables there are.
#[derive(Default)]
struct Found {
    sectors: bool,
    meta: bool,
    identity: bool,
}

fn check_tables(conn: &Connection) -> Result<Found> {
    let failed = |e| sql_error("reading the schema", e);
    let mut statement = conn.prepare_cached("SELECT type, name, sql, rootpage FROM sqlite_schema").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut found = Found::default();
    let mut strangers = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let kind: String = row.get(0).map_err(failed)?;
        let name: String = row.get(1).map_err(failed)?;
        let sql: Option<String> = row.get(2).map_err(failed)?;
        // A virtual table has no pages, and asking it for its columns would run its module.
        let has_pages = row.get::<_, Option<i64>>(3).map_err(failed)?.is_some_and(|root| root > 1);
        let ours = |table: &str| table == name && kind == "table" && has_pages;
        let Some((table, text, columns)) = TABLES.iter().find(|(table, ..)| ours(table)) else {
            strangers.push(format!("{kind} {name}"));
            continue;
        };
        // Our own text has our own columns; any other is judged by what it makes.
        if sql.as_deref() != Some(text) && !planted(Fault::ColumnsUnchecked) {
            check_columns(conn, table, columns)?;
        }
        match *table {
            "sectors" => found.sectors = true,
            "meta" => found.meta = true,
            _ => found.identity = true,
        }
    }
    match (found.sectors && found.meta, strangers.first()) {
        (true, None) => Ok(found),
        (true, Some(_)) if planted(Fault::StrangersAllowed) => Ok(found),
        (true, Some(stranger)) => Err(corrupt(&format!("{stranger} does not belong there"))),
        (false, _) => Err(Error::new(ErrorKind::NotADisk, "a database without the tables of a disk layer")),
    }
}

fn check_columns(conn: &Connection, table: &str, expected: &[Column]) -> Result<()> {
    let failed = |e| sql_error("reading the columns", e);
    let plain: Option<bool> = conn
        .query_row("SELECT type = 'table' AND wr = 0 FROM pragma_table_list WHERE name = ?1", [table], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    if plain != Some(true) {
        return Err(corrupt(&format!("{table} is not a plain table")));
    }
    // A column that is NOT NULL would store its default in the place of zeros, which are NULL.
    let sql = "SELECT name, upper(type), pk, hidden OR (name = 'data' AND \"notnull\") \
               FROM pragma_table_xinfo(?1) ORDER BY cid";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([table]).map_err(failed)?;
    let mut expected = expected.iter();
    while let Some(row) = rows.next().map_err(failed)? {
        let actual: (String, String, i64, i64) =
            (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))().map_err(failed)?;
        let (name, ty, pk, strange) = &actual;
        if !expected.next().is_some_and(|e| e.0 == name && e.1 == ty && e.2 == (*pk > 0) && *strange == 0) {
            return Err(corrupt(&format!("column {name} of table {table} is not as it should be")));
        }
    }
    match expected.next() {
        None => Ok(()),
        Some((name, ..)) => Err(corrupt(&format!("table {table} lacks the column {name}"))),
    }
}

fn json_row<T: for<'a> Deserialize<'a>>(conn: &Connection, sql: &str, table: &str) -> Result<Option<T>> {
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
        Some(_) if planted(Fault::SecondRowIgnored) => Ok(Some(value)),
        Some(_) => Err(corrupt(&format!("table {table} has more than one row"))),
    }
}

fn check_range(conn: &Connection, geometry: Geometry) -> Result<()> {
    let failed = |e| sql_error("reading the sectors", e);
    let mut statement = conn
        .prepare_cached("SELECT (SELECT min(sector) FROM sectors), (SELECT max(sector) FROM sectors)")
        .map_err(failed)?;
    let ends: (Option<i64>, Option<i64>) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    match ends {
        _ if planted(Fault::SectorRangeUnchecked) => Ok(()),
        (Some(first), _) if first < 0 => Err(corrupt(&format!("it has a sector {first}"))),
        (_, Some(last)) if last as u64 >= geometry.sector_count() => {
            let count = geometry.sector_count();
            Err(corrupt(&format!("it has a sector {last}, and its size is {count} sectors")))
        }
        _ => Ok(()),
    }
}

/// Makes the tables in place of whatever is there; the caller has a transaction open.
pub(super) fn write(conn: &Connection, meta: &Meta, lineage: &Lineage) -> Result<()> {
    let failed = |e| sql_error("writing the tables", e);
    let run = |sql, params: &[&dyn ToSql]| conn.prepare_cached(sql)?.execute(params);
    if is_ours(conn).map_err(failed)? {
        // The same tables: emptying them keeps every prepared statement valid.
        for sql in ["DELETE FROM sectors", "DELETE FROM meta", "DELETE FROM identity"] {
            run(sql, &[]).map_err(failed)?;
        }
    } else {
        let drop_old = "SELECT coalesce(group_concat(format('DROP %s %w', type, name), ';'), '') FROM sqlite_schema";
        let drop_old: String = conn.query_row(drop_old, [], |row| row.get(0)).map_err(failed)?;
        let header = format!("PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={FORMAT}");
        conn.execute_batch(&format!("{drop_old};{SECTORS};{META};{IDENTITY};{header}")).map_err(failed)?;
    }
    run("INSERT INTO meta VALUES (?1)", &[&to_json(meta)?]).map_err(failed)?;
    run("INSERT INTO identity VALUES (?1)", &[&to_json(lineage)?]).map(drop).map_err(failed)
}

/// Whether the database has just the tables that [`write`] makes.
fn is_ours(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) = 3 AND sum(sql IN (?1, ?2, ?3)) = 3 FROM sqlite_schema";
    conn.prepare_cached(sql)?
        .query_row([SECTORS, META, IDENTITY], |row| row.get::<_, Option<bool>>(0))
        .map(|ours| ours == Some(true))
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

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::new(ErrorKind::Io, "writing JSON").because(e))
}
