//! Reading past damage: all that can be read, and the ranges of sectors where nothing can.

use std::ops::Range;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::clusters::Shape;
use super::database::sql_error;
use super::format::Stored;
use crate::error::{ErrorKind, Result};
use crate::geometry::Geometry;

mod pass;
mod ranges;

use pass::{Row, Table, pass};
use ranges::{merged, push, without};

/// What is told of sectors that can be read: which they are, and their bytes or nothing for zeros. Zeros may be as many
/// as the disk has sectors.
pub(super) type Visit<'a> = dyn FnMut(Range<u64>, Option<&[u8]>) -> Result<()> + 'a;

const SECTORS: Table = Table {
    up: "SELECT sector, data FROM sectors WHERE sector >= ?1 AND sector < ?2 ORDER BY sector",
    down: "SELECT sector, data FROM sectors WHERE sector >= ?1 AND sector < ?2 ORDER BY sector DESC",
};
const CLUSTERS: Table = Table {
    up: "SELECT cluster, data FROM clusters WHERE cluster >= ?1 AND cluster < ?2 ORDER BY cluster",
    down: "SELECT cluster, data FROM clusters WHERE cluster >= ?1 AND cluster < ?2 ORDER BY cluster DESC",
};
const ZEROS: Table = Table {
    up: "SELECT start, stop FROM zeros WHERE start >= ?1 AND start < ?2 ORDER BY start",
    down: "SELECT start, stop FROM zeros WHERE start >= ?1 AND start < ?2 ORDER BY start DESC",
};

/// Visits every sector inside the disk that can be read, once; where none can.
///
/// # Errors
///
/// Those of `visit`.
pub(super) fn scan(
    conn: &Connection,
    geometry: Geometry,
    stored: Stored,
    visit: &mut Visit<'_>,
) -> Result<Vec<Range<u64>>> {
    match stored {
        Stored::Rows => sectors(conn, geometry, visit),
        Stored::Clusters(shape) => clusters(conn, &shape, visit),
    }
}

fn sectors(conn: &Connection, geometry: Geometry, visit: &mut Visit<'_>) -> Result<Vec<Range<u64>>> {
    let size = geometry.sector_size() as usize;
    pass(conn, SECTORS, 0..geometry.sector_count(), &mut |sector, value| {
        let data = match value {
            ValueRef::Null => None,
            ValueRef::Blob(data) if data.len() == size => Some(data),
            _ => return Ok(Row::Damaged),
        };
        visit(sector..sector + 1, data).map(|()| Row::Sound)
    })
}

/// A cluster whose row is damaged is lost as a whole. Where a row and an extent contradict each other the row is taken,
/// as it is by whoever reads.
fn clusters(conn: &Connection, shape: &Shape, visit: &mut Visit<'_>) -> Result<Vec<Range<u64>>> {
    let mut rows = Vec::new();
    let lost_rows = pass(conn, CLUSTERS, 0..shape.clusters(), &mut |cluster, value| {
        let ValueRef::Blob(row) = value else { return Ok(Row::Damaged) };
        let Some(cluster_read) = shape.decode(cluster, row) else { return Ok(Row::Damaged) };
        push(&mut rows, cluster);
        cluster_read.runs().try_for_each(|(sectors, data)| visit(sectors, data)).map(|()| Row::Sound)
    })?;
    let mut zeros = Vec::new();
    let lost_starts = pass(conn, ZEROS, 0..shape.clusters(), &mut |start, value| match value {
        ValueRef::Integer(stop) if stop > start as i64 && stop as u64 <= shape.clusters() => {
            zeros.push(start..stop as u64);
            Ok(Row::Sound)
        }
        _ => Ok(Row::Damaged),
    })?;
    let (rows, zeros) = (merged(rows), merged(zeros));
    for extent in without(&zeros, &rows) {
        visit(shape.sectors_of(&extent), None)?;
    }
    // Nobody knows where an extent ended that cannot be read, but it did before the next one.
    let ends_by = |start: u64| zeros.iter().map(|extent| extent.start).find(|next| *next >= start);
    let lost_zeros =
        lost_starts.into_iter().map(|lost| lost.start..ends_by(lost.end).unwrap_or_else(|| shape.clusters()));
    let lost = merged(lost_rows.into_iter().chain(lost_zeros).collect());
    let lost = without(&without(&lost, &rows), &zeros);
    Ok(lost.iter().map(|clusters| shape.sectors_of(clusters)).collect())
}

/// What SQLite's own check says, at most so many lines; none if all is well.
pub(super) fn misfits(conn: &Connection) -> Result<Vec<String>> {
    let failed = |e| sql_error("checking the file", e);
    // What a stranger wants of each row is no matter of the pages.
    conn.pragma_update(None, "ignore_check_constraints", true).map_err(failed)?;
    let mut check = conn.prepare("PRAGMA main.integrity_check(50)").map_err(failed)?;
    let lines = check.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    let mut misfits = Vec::new();
    for line in lines {
        match line {
            Ok(line) => {
                misfits.extend(line.lines().filter(|line| *line != "ok" && !line.starts_with("***")).map(str::to_owned))
            }
            // A page that cannot be read has a line; any other failure says nothing of the file.
            Err(error) => match failed(error) {
                damage if damage.kind() == ErrorKind::Corrupt => {
                    misfits.push(damage.to_string());
                    break;
                }
                other => return Err(other),
            },
        }
    }
    Ok(misfits)
}
