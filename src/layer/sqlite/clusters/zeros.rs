//! Clusters that are zero as a whole: extents of them, none of which touch.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::database::sql_error;
use super::super::layout::{execute, prepare};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};

/// The first extent that ends after `cluster`.
pub(super) fn next(conn: &Connection, cluster: u64) -> Result<Option<Range<u64>>> {
    match last_before(conn, cluster + 1)?.filter(|extent| extent.end > cluster) {
        Some(extent) => Ok(Some(extent)),
        None => query(conn, "SELECT start, stop FROM zeros WHERE start > ?1 ORDER BY start LIMIT 1", cluster),
    }
}

/// The extents that have clusters of `range`, cut to it.
pub(super) fn within(conn: &Connection, range: Range<u64>) -> Result<Vec<Range<u64>>> {
    let mut found = Vec::new();
    let mut from = range.start;
    while let Some(extent) = next(conn, from)?.filter(|extent| extent.start < range.end) {
        found.push(extent.start.max(from)..extent.end.min(range.end));
        from = extent.end;
        if from >= range.end {
            break;
        }
    }
    Ok(found)
}

/// Takes clusters in.
pub(super) fn add(conn: &Connection, range: Range<u64>) -> Result<()> {
    let (mut start, mut end) = (range.start, range.end);
    // What touches it at either end becomes one with it.
    if let Some(before) = last_before(conn, start)?.filter(|before| before.end >= start) {
        if before.end >= end {
            return Ok(());
        }
        match planted(Fault::TouchingExtentsLoseOne) {
            false => start = before.start,
            true => delete(conn, before.start..start)?,
        }
    }
    if let Some(last) = last_before(conn, end.saturating_add(1))?.filter(|last| last.start >= start) {
        end = end.max(last.end);
    }
    delete(conn, start..end.saturating_add(1))?;
    insert(conn, start..end)
}

/// Takes clusters out.
pub(super) fn remove(conn: &Connection, range: Range<u64>) -> Result<()> {
    let before = last_before(conn, range.start)?.filter(|before| before.end > range.start);
    let last = last_before(conn, range.end)?.filter(|last| last.end > range.end);
    if before.is_none() && last.is_none() {
        return delete(conn, range);
    }
    delete(conn, before.as_ref().map_or(range.start, |before| before.start)..range.end)?;
    if let Some(before) = before {
        insert(conn, before.start..range.start)?;
    }
    match last {
        Some(_) if planted(Fault::ExtentLosesRightPart) => Ok(()),
        Some(last) => insert(conn, range.end..last.end),
        None => Ok(()),
    }
}

/// The last extent that starts before `cluster`.
fn last_before(conn: &Connection, cluster: u64) -> Result<Option<Range<u64>>> {
    query(conn, "SELECT start, stop FROM zeros WHERE start < ?1 ORDER BY start DESC LIMIT 1", cluster)
}

fn query(conn: &Connection, sql: &str, cluster: u64) -> Result<Option<Range<u64>>> {
    let extent = prepare(conn, sql)?
        .query_row(params![cluster as i64], |row| Ok(row.get::<_, i64>(0)?..row.get::<_, i64>(1)?))
        .optional()
        .map_err(|e| sql_error("looking for zeroed clusters", e))?;
    match extent {
        Some(extent) if extent.start < 0 || extent.is_empty() => {
            let what = format!("zeroed clusters from {} to {}", extent.start, extent.end);
            Err(Error::new(ErrorKind::Corrupt, what))
        }
        extent => Ok(extent.map(|extent| extent.start as u64..extent.end as u64)),
    }
}

/// Forgets the extents that start in `range`.
fn delete(conn: &Connection, range: Range<u64>) -> Result<()> {
    let mut delete = prepare(conn, "DELETE FROM zeros WHERE start >= ?1 AND start < ?2")?;
    execute(&mut delete, params![range.start as i64, range.end as i64]).map(drop)
}

pub(in super::super) fn insert(conn: &Connection, extent: Range<u64>) -> Result<()> {
    let mut insert = prepare(conn, "INSERT INTO zeros (start, stop) VALUES (?1, ?2)")?;
    execute(&mut insert, params![extent.start as i64, extent.end as i64]).map(drop)
}
