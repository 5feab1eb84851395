//! One pass over the keys of a table, past what cannot be read.
//!
//! A page that is lost stops whoever reads in order, so what lies behind it is read from the other end, and what is
//! left between is halved until nothing more comes of it.

use std::ops::Range;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::ranges::merged;
use crate::error::{Error, Result};

/// Halving goes on so long without a row: gaps of up to 4096 keys are known to the key.
const FRUITLESS: u32 = 12;

/// What a row turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Sound,
    Damaged,
}

/// A table: how its keys and values are read in order, both ways.
pub(super) struct Table {
    pub(super) up: &'static str,
    pub(super) down: &'static str,
}

/// What is told of each row: its key and its value.
pub(super) type Take<'a> = dyn FnMut(u64, ValueRef<'_>) -> Result<Row> + 'a;

struct Pass<'a, 't> {
    conn: &'a Connection,
    table: Table,
    take: &'a mut Take<'t>,
    /// Keys whose rows cannot be read, in no order.
    lost: Vec<Range<u64>>,
    /// A failure of `take`, which ends the pass.
    failure: Option<Error>,
}

/// In which order a range is read.
#[derive(Clone, Copy)]
enum Order {
    Up,
    Down,
}

/// Takes every row with a key of `keys` that can be read; the keys where none can.
///
/// # Errors
///
/// Those of `take`.
pub(super) fn pass(conn: &Connection, table: Table, keys: Range<u64>, take: &mut Take<'_>) -> Result<Vec<Range<u64>>> {
    let mut pass = Pass { conn, table, take, lost: Vec::new(), failure: None };
    pass.range(keys, 0);
    match pass.failure {
        Some(failure) => Err(failure),
        None => Ok(merged(pass.lost)),
    }
}

impl Pass<'_, '_> {
    fn range(&mut self, range: Range<u64>, fruitless: u32) {
        if range.is_empty() || self.failure.is_some() {
            return;
        }
        let start = self.run(range.clone(), Order::Up);
        if start == range.end || self.failure.is_some() {
            return;
        }
        let end = self.run(start..range.end, Order::Down);
        if start == end {
            // What could not be read from below could be from above.
            return;
        }
        let fruitless = if start > range.start || end < range.end { 0 } else { fruitless + 1 };
        if end - start <= 1 || fruitless > FRUITLESS {
            self.lost.push(start..end);
            return;
        }
        let middle = start + (end - start) / 2;
        self.range(start..middle, fruitless);
        self.range(middle..end, fruitless);
    }

    /// Takes rows until one cannot be read; up to (or down to) where the range is done with.
    fn run(&mut self, range: Range<u64>, order: Order) -> u64 {
        let (sql, mut done) = match order {
            Order::Up => (self.table.up, range.start),
            Order::Down => (self.table.down, range.end),
        };
        let Ok(mut statement) = self.conn.prepare_cached(sql) else { return done };
        let Ok(mut rows) = statement.query(params![range.start as i64, range.end as i64]) else { return done };
        loop {
            let Ok(row) = rows.next() else { return done };
            let Some(row) = row else { break };
            let Ok(key) = row.get::<_, i64>(0).map(|key| key as u64) else { return done };
            // Keys that do not go one way are those of a page that is not what it was.
            match order {
                Order::Up if key >= done && key < range.end => done = key + 1,
                Order::Down if key < done && key >= range.start => done = key,
                _ => return done,
            }
            let taken = row.get_ref(1).map_or(Ok(Row::Damaged), |value| (self.take)(key, value));
            match taken {
                Ok(Row::Sound) => {}
                Ok(Row::Damaged) => self.lost.push(key..key + 1),
                Err(failure) => {
                    self.failure = Some(failure);
                    return done;
                }
            }
        }
        match order {
            Order::Up => range.end,
            Order::Down => range.start,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// A query for `?1..?2` that gives the key `row`, if one is given, and fails then if there are more than `most` keys.
    macro_rules! fails {
        (above $most:literal) => {
            concat!("SELECT abs(-9223372036854775807 - n), 0 FROM two WHERE n = 1 AND ?2 - ?1 > ", $most)
        };
        ($row:literal, above $most:literal) => {
            concat!("SELECT ", $row, ", 0 FROM two WHERE n = 0 UNION ALL ", fails!(above $most))
        };
    }

    /// What is lost of so many keys.
    fn lost(up: &'static str, down: &'static str, keys: u64) -> Vec<Range<u64>> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE two(n); INSERT INTO two VALUES (0), (1)").unwrap();
        pass(&conn, Table { up, down }, 0..keys, &mut |_, _| Ok(Row::Sound)).unwrap()
    }

    #[test]
    fn a_gap_is_known_to_the_key_unless_it_is_long() {
        assert_eq!(lost(fails!(above 1), fails!(above 1), 4096), []);
        assert_eq!(lost(fails!(above 1), fails!(above 1), 8192), [0..8192]);
    }

    #[test]
    fn halving_goes_on_where_rows_come_from_one_end_only() {
        assert_eq!(lost(fails!("?1", above 2), fails!(above 2), 1 << 16), []);
        assert_eq!(lost(fails!(above 2), fails!("?2 - 1", above 2), 1 << 16), []);
    }

    #[test]
    fn what_could_be_read_from_above_is_not_lost() {
        assert_eq!(lost(fails!("?1", above 1), "SELECT 1, 0 FROM two WHERE ?1 <= 1 AND 1 < ?2", 2), []);
    }

    /// As a page that is not what it was may have it.
    #[test]
    fn a_row_outside_of_the_range_is_not_taken() {
        let conn = Connection::open_in_memory().unwrap();
        let mut taken = Vec::new();
        let table = Table { up: "SELECT ?2, 0", down: "SELECT ?1 - 1, 0" };
        pass(&conn, table, 5..9, &mut |key, _| {
            taken.push(key);
            Ok(Row::Sound)
        })
        .unwrap();
        assert!(taken.is_empty(), "{taken:?}");
    }

    #[test]
    fn rows_that_are_damaged_are_lost_alone_and_a_failure_ends_it() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE two(n); INSERT INTO two VALUES (0), (1)").unwrap();
        let table = || Table {
            up: "SELECT n, 0 FROM two WHERE n >= ?1 AND n < ?2 ORDER BY n",
            down: "SELECT n, 0 FROM two WHERE n >= ?1 AND n < ?2 ORDER BY n DESC",
        };
        let judge = |key| Ok(if key == 1 { Row::Damaged } else { Row::Sound });
        assert_eq!(pass(&conn, table(), 0..9, &mut |key, _| judge(key)).unwrap(), [1..2]);
        let mut count = 0;
        let failed = pass(&conn, table(), 0..9, &mut |_, _| {
            count += 1;
            Err(Error::new(ErrorKind::Failed, "enough"))
        });
        assert!(failed.is_err() && count == 1);
    }
}
