//! Reading past damage: every row that can be read, and the ranges of sectors where none can.
//!
//! A page that is lost stops whoever reads in order, so what lies behind it is read from the other end, and what is
//! left between is halved until nothing more comes of it.

use std::ops::Range;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::database::sql_error;
use crate::error::Result;
use crate::geometry::Geometry;

/// Halving goes on so long without a row: gaps of up to 4096 sectors are known to the sector.
const FRUITLESS: u32 = 12;

/// What is told of each row that can be read: its sector, and its bytes or nothing for zeros.
pub(super) type Visit<'a> = dyn FnMut(u64, Option<&[u8]>) -> Result<()> + 'a;

/// One pass over all sectors.
pub(super) struct Scan<'a, 'v> {
    conn: &'a Connection,
    size: usize,
    visit: &'a mut Visit<'v>,
    /// Sectors that cannot be read, in no order.
    lost: Vec<Range<u64>>,
    /// A failure of `visit`, which ends the pass.
    failure: Option<crate::error::Error>,
}

/// In which order a range is read.
#[derive(Clone, Copy)]
enum Order {
    Up,
    Down,
}

/// Visits every row inside the disk that can be read; where none can.
///
/// # Errors
///
/// Those of `visit`.
pub(super) fn scan(conn: &Connection, geometry: Geometry, visit: &mut Visit<'_>) -> Result<Vec<Range<u64>>> {
    let size = geometry.sector_size() as usize;
    let mut scan = Scan { conn, size, visit, lost: Vec::new(), failure: None };
    scan.range(0..geometry.sector_count(), 0);
    match scan.failure {
        Some(failure) => Err(failure),
        None => Ok(merged(scan.lost)),
    }
}

impl Scan<'_, '_> {
    fn range(&mut self, range: Range<u64>, fruitless: u32) {
        if range.is_empty() || self.failure.is_some() {
            return;
        }
        let start = self.run(range.clone(), Order::Up);
        if start == range.end || self.failure.is_some() {
            return;
        }
        let end = self.run(start..range.end, Order::Down);
        let fruitless = if start > range.start || end < range.end { 0 } else { fruitless + 1 };
        if end - start <= 1 || fruitless > FRUITLESS {
            self.lost.push(start..end);
            return;
        }
        let middle = start + (end - start) / 2;
        self.range(start..middle, fruitless);
        self.range(middle..end, fruitless);
    }

    /// Visits rows until one cannot be read; up to (or down to) where the range is done with.
    fn run(&mut self, range: Range<u64>, order: Order) -> u64 {
        let (sql, mut done) = match order {
            Order::Up => {
                ("SELECT sector, data FROM sectors WHERE sector >= ?1 AND sector < ?2 ORDER BY sector", range.start)
            }
            Order::Down => {
                ("SELECT sector, data FROM sectors WHERE sector >= ?1 AND sector < ?2 ORDER BY sector DESC", range.end)
            }
        };
        let Ok(mut statement) = self.conn.prepare_cached(sql) else { return done };
        let Ok(mut rows) = statement.query(params![range.start as i64, range.end as i64]) else { return done };
        loop {
            let Ok(row) = rows.next() else { return done };
            let Some(row) = row else { break };
            let Ok(sector) = row.get::<_, i64>(0).map(|sector| sector as u64) else { return done };
            // Keys that do not go one way are those of a page that is not what it was.
            match order {
                Order::Up if sector >= done && sector < range.end => done = sector + 1,
                Order::Down if sector < done && sector >= range.start => done = sector,
                _ => return done,
            }
            let Ok(value) = row.get_ref(1) else {
                self.lost.push(sector..sector + 1);
                continue;
            };
            let visited = match value {
                ValueRef::Null => (self.visit)(sector, None),
                ValueRef::Blob(data) if data.len() == self.size => (self.visit)(sector, Some(data)),
                _ => {
                    self.lost.push(sector..sector + 1);
                    Ok(())
                }
            };
            if let Err(failure) = visited {
                self.failure = Some(failure);
                return done;
            }
        }
        match order {
            Order::Up => range.end,
            Order::Down => range.start,
        }
    }
}

/// The same ranges, in order, with none that touch.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// What SQLite's own check says, at most so many lines; none if all is well.
pub(super) fn misfits(conn: &Connection) -> Result<Vec<String>> {
    let failed = |e| sql_error("checking the file", e);
    let mut check = conn.prepare("PRAGMA integrity_check(50)").map_err(failed)?;
    let lines = check.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    let mut misfits = Vec::new();
    for line in lines {
        match line {
            Ok(line) => {
                misfits.extend(line.lines().filter(|line| *line != "ok" && !line.starts_with("***")).map(str::to_owned))
            }
            Err(error) => {
                misfits.push(failed(error).to_string());
                break;
            }
        }
    }
    Ok(misfits)
}
