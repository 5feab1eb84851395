//! What a connection lets a file from a stranger do: nothing, and not for long.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use crate::fault::{Fault, planted};

/// SQLite's advice for files from strangers (sqlite.org/security.html), and no waiting for locks.
pub(in crate::layer::sqlite) fn guard(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::ZERO)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !planted(Fault::RefusedOpenCheckpoints))?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    // Actions of foreign keys would change one table when another is changed.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    for (limit, value) in LIMITS {
        conn.set_limit(limit, value)?;
    }
    let mut steps = 0;
    let is_too_long = move || {
        steps += 1;
        steps > MOST_STEPS / STEPS
    };
    conn.progress_handler(STEPS, Some(is_too_long))?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "mmap_size", 0)
}

/// What our own statements and tables need, and not much more.
const LIMITS: [(Limit, i32); 11] = [
    (Limit::SQLITE_LIMIT_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 10_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 20),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 8),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    (Limit::SQLITE_LIMIT_SCHEMA, 200),
];

/// How many steps of SQLite's virtual machine opening may take: some tenths of a second.
const MOST_STEPS: i32 = 10_000_000;
/// They are counted by so many.
const STEPS: i32 = 1000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::ErrorCode;

    use super::*;

    #[test]
    fn what_takes_too_long_is_ended() {
        let mut conn = Connection::open_in_memory().unwrap();
        guard(&mut conn).unwrap();
        let count = |rows: u32| {
            let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows})");
            conn.query_row(&format!("{numbers} SELECT count(*) FROM n"), [], |row| row.get::<_, u32>(0))
        };
        assert_eq!(count(1000), Ok(1000));
        assert_eq!(count(4_000_000).unwrap_err().sqlite_error_code(), Some(ErrorCode::OperationInterrupted));
    }
}
