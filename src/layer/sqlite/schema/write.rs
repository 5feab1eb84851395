//! Making the tables of a new layer, and changing what they say of it.

use rusqlite::Connection;
use serde::Serialize;

use super::{Lineage, Meta};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::sqlite::database::sql_error;
use crate::layer::sqlite::format::{APPLICATION_ID, Format, Table};

/// Makes the tables in place of whatever is there, with the rows that say what it is; the caller has a transaction open.
pub(in crate::layer::sqlite) fn write(conn: &Connection, meta: &Meta, lineage: &Lineage) -> Result<()> {
    make_tables(conn, meta.format())?;
    write_rows(conn, meta, lineage)
}

/// Makes empty tables in place of whatever is there; the caller has a transaction open.
pub(in crate::layer::sqlite) fn make_tables(conn: &Connection, format: Format) -> Result<()> {
    let failed = |e| sql_error("writing the tables", e);
    let (sectors, common) = format.tables();
    let drop_old = match tables_of(conn, format).map_err(failed)? {
        Old::Ours => {
            // The same tables: emptying them keeps every prepared statement valid.
            let empty = |table: &Table| conn.prepare_cached(&format!("DELETE FROM {}", table.name))?.execute([]);
            return sectors.iter().chain(common).try_for_each(|table| empty(table).map(drop)).map_err(failed);
        }
        Old::Nothing => String::new(),
        Old::Others => drop_all(conn).map_err(failed)?,
    };
    let tables: Vec<&str> = sectors.iter().chain(common).map(|table| table.sql).collect();
    let header = format!("PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={}", format.version());
    conn.execute_batch(&format!("{drop_old};{};{header}", tables.join(";"))).map_err(failed)
}

/// Says what the layer is, in tables that are empty; the caller has a transaction open.
pub(in crate::layer::sqlite) fn write_rows(conn: &Connection, meta: &Meta, lineage: &Lineage) -> Result<()> {
    let insert = |sql: &str, json: String| -> Result<()> {
        let inserted = conn.prepare_cached(sql).and_then(|mut insert| insert.execute([json]));
        inserted.map(drop).map_err(|e| sql_error("writing the metadata", e))
    };
    insert("INSERT INTO meta VALUES (?1)", to_json(meta)?)?;
    insert("INSERT INTO identity VALUES (?1)", to_json(lineage)?)
}

/// What drops all that there is.
fn drop_all(conn: &Connection) -> rusqlite::Result<String> {
    let drop_old = "SELECT coalesce(group_concat(format('DROP %s %w', type, name), ';'), '') FROM sqlite_schema";
    conn.query_row(drop_old, [], |row| row.get(0))
}

/// What tables a database has that gets those of a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    Nothing,
    /// Just those that [`make_tables`] makes.
    Ours,
    Others,
}

fn tables_of(conn: &Connection, format: Format) -> rusqlite::Result<Old> {
    let (sectors, common) = format.tables();
    let mut statement = conn.prepare_cached("SELECT sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let sql: Option<&str> = row.get_ref(0)?.as_str_or_null()?;
        if !sectors.iter().chain(common).any(|table| Some(table.sql) == sql) {
            return Ok(Old::Others);
        }
        count += 1;
    }
    Ok(match count {
        0 => Old::Nothing,
        count if count == sectors.len() + common.len() => Old::Ours,
        _ => Old::Others,
    })
}

/// Replaces the row of `identity`; the caller has a transaction open.
pub(in crate::layer::sqlite) fn write_lineage(conn: &Connection, lineage: &Lineage) -> Result<()> {
    let failed = |e| sql_error("writing the identity", e);
    let mut update = conn.prepare_cached("UPDATE identity SET identity = ?1").map_err(failed)?;
    let json = to_json(lineage)?;
    match update.execute([&json]).map_err(failed)? {
        0 => conn.execute("INSERT INTO identity VALUES (?1)", [&json]).map(drop).map_err(failed),
        _ => Ok(()),
    }
}

/// Says of a layer that it is logically read only; the caller has a transaction open.
pub(in crate::layer::sqlite) fn protect(conn: &Connection) -> Result<()> {
    let sql = "UPDATE meta SET metadata = json_set(metadata, '$.logically_read_only', json('true'))";
    conn.execute(sql, []).map(drop).map_err(|e| sql_error("writing the metadata", e))
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::new(ErrorKind::Io, "writing JSON").because(e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_ours_if_they_are_just_those_that_are_made() {
        let conn = Connection::open_in_memory().unwrap();
        let (sectors, common) = Format::One.tables();
        let all: Vec<_> = sectors.iter().chain(common).collect();
        for (made, table) in all.iter().enumerate() {
            let found = tables_of(&conn, Format::One).unwrap();
            assert!(found == if made == 0 { Old::Nothing } else { Old::Others }, "{made} tables");
            conn.execute_batch(table.sql).unwrap();
        }
        assert!(tables_of(&conn, Format::One).unwrap() == Old::Ours);
        conn.execute_batch("CREATE TABLE other (thing)").unwrap();
        assert!(tables_of(&conn, Format::One).unwrap() == Old::Others);
    }
}
