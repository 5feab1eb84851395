//! Files as a stranger would make them: valid for SQLite, and wrong for us. For proving that `open` is not taken in.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::database::sql_error;
use crate::error::Result;

/// What must come of a file after an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Opening refuses it.
    Refused,
    /// It is served as if nothing had been done.
    Served,
    /// It is served, but for its first present sector, which is an error.
    FirstSectorLost,
}

macro_rules! attacks {
    ($($effect:ident: $($name:literal $sql:expr;)+)+) => {
        /// Names of attacks, what must come of each, and how it is done.
        const ATTACKS: &[(&str, Effect, &str)] = &[$($(($name, Effect::$effect, $sql),)+)+];
    };
}

attacks! {
Refused:
    "no-sectors" "DROP TABLE sectors";
    "no-meta" "DROP TABLE meta";
    "renamed" "ALTER TABLE sectors RENAME TO sector";
    "empty-meta" "DELETE FROM meta";
    "two-meta-rows" "INSERT INTO meta SELECT metadata FROM meta";
    "two-identities" "INSERT INTO identity SELECT identity FROM identity";
    "extra-table" "CREATE TABLE extra(x)";
    "extra-index" "CREATE INDEX i ON sectors(data)";
    "extra-view" "CREATE VIEW v AS SELECT * FROM sectors";
    "trigger" "CREATE TRIGGER t AFTER INSERT ON sectors BEGIN DELETE FROM sectors; END";
    "delete-trigger" "CREATE TRIGGER t BEFORE DELETE ON sectors BEGIN UPDATE meta SET metadata = 'gone'; END";
    "statistics" "ANALYZE";
    "view-of-our-name" "ALTER TABLE sectors RENAME TO s; CREATE VIEW sectors AS SELECT sector, data FROM s";
    "meta-view" "ALTER TABLE meta RENAME TO m; CREATE VIEW meta AS SELECT metadata FROM m";
    "endless-view" "DROP TABLE sectors; CREATE VIEW sectors AS WITH RECURSIVE n(i) AS \
        (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS sector, NULL AS data FROM n";
    "fts-of-our-name" "DROP TABLE sectors; CREATE VIRTUAL TABLE sectors USING fts5(sector, data)";
    "rtree-of-our-name" "DROP TABLE sectors; CREATE VIRTUAL TABLE sectors USING rtree(sector, a, b)";
    "virtual-table" "CREATE VIRTUAL TABLE v USING fts5(x)";
    "generated" "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, \
        data BLOB AS (zeroblob(512)))";
    "generated-large" "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, \
        data BLOB AS (hex(zeroblob(400000000))))";
    "text-key" "DROP TABLE sectors; CREATE TABLE sectors(sector TEXT NOT NULL PRIMARY KEY, data BLOB)";
    "no-key" "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL, data BLOB)";
    "text-data" "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data TEXT)";
    "more-columns" "ALTER TABLE sectors ADD COLUMN more BLOB";
    "without-rowid" "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data BLOB) \
        WITHOUT ROWID";
    "data-not-null" "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, \
        data BLOB NOT NULL DEFAULT x'55')";
    "size-0" "UPDATE meta SET metadata = json_set(metadata, '$.sector_size', 0)";
    "size-1" "UPDATE meta SET metadata = json_set(metadata, '$.sector_size', 1)";
    "size-3" "UPDATE meta SET metadata = json_set(metadata, '$.sector_size', 3)";
    "size-2-31" "UPDATE meta SET metadata = json_set(metadata, '$.sector_size', 2147483648)";
    "size-2-63" "UPDATE meta SET metadata = replace(json_set(metadata, '$.sector_size', 'N'), '\"N\"', \
        '9223372036854775808')";
    "count-0" "UPDATE meta SET metadata = json_set(metadata, '$.sector_count', 0)";
    "count-negative" "UPDATE meta SET metadata = json_set(metadata, '$.sector_count', -1)";
    "count-2-63" "UPDATE meta SET metadata = replace(json_set(metadata, '$.sector_count', 'N'), '\"N\"', \
        '9223372036854775808')";
    "json-cut" "UPDATE meta SET metadata = substr(metadata, 1, length(metadata) - 1)";
    "json-deep" "UPDATE meta SET metadata = replace(hex(zeroblob(30000)), '0', '[')";
    "json-long" "UPDATE meta SET metadata = metadata || printf('%.*c', 100000, ' ')";
    "json-null" "UPDATE meta SET metadata = 'null'";
    "json-blob" "UPDATE meta SET metadata = CAST(metadata AS BLOB)";
    "identity-cut" "UPDATE identity SET identity = substr(identity, 2)";
    "sector-negative" "INSERT INTO sectors VALUES (-1, NULL)";
    "sector-least" "INSERT INTO sectors VALUES (-9223372036854775808, NULL)";
    "sector-past-the-end" "INSERT INTO sectors SELECT json_extract(metadata, '$.sector_count'), NULL FROM meta";
    "sector-largest" "INSERT INTO sectors VALUES (9223372036854775807, NULL)";
    "future" "PRAGMA user_version=1";
    "far-future" "PRAGMA user_version=2147483647";
    "version-negative" "PRAGMA user_version=-1";
    "another-application" "PRAGMA application_id=1";
Served:
    "own-words" "ALTER TABLE sectors RENAME TO s; CREATE TABLE [sectors] (\"sector\" integer /* ours */ not null, \
        data blob, primary key(sector)); INSERT INTO sectors SELECT * FROM s; DROP TABLE s";
    "default" "ALTER TABLE sectors RENAME TO s; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, \
        data BLOB DEFAULT (hex(randomblob(9)))); INSERT INTO sectors SELECT * FROM s; DROP TABLE s";
    "foreign-key" "PRAGMA foreign_keys=OFF; ALTER TABLE meta RENAME TO m; CREATE TABLE meta(metadata TEXT NOT NULL \
        REFERENCES sectors(sector) ON DELETE CASCADE); INSERT INTO meta SELECT * FROM m; DROP TABLE m";
    "cookie" "PRAGMA schema_version=123456";
    "no-identity" "DROP TABLE identity";
    "empty-identity" "DELETE FROM identity";
    "vacuum" "VACUUM";
    "grown" "CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(50000)); DROP TABLE t";
FirstSectorLost:
    "short" "UPDATE sectors SET data = x'01' WHERE sector = (SELECT min(sector) FROM sectors)";
    "a-byte-short" "UPDATE sectors SET data = zeroblob((SELECT json_extract(metadata, '$.sector_size') FROM meta) - 1) \
        WHERE sector = (SELECT min(sector) FROM sectors)";
    "a-byte-long" "UPDATE sectors SET data = zeroblob((SELECT json_extract(metadata, '$.sector_size') FROM meta) + 1) \
        WHERE sector = (SELECT min(sector) FROM sectors)";
    "text" "UPDATE sectors SET data = 'text' WHERE sector = (SELECT min(sector) FROM sectors)";
    "number" "UPDATE sectors SET data = 1 WHERE sector = (SELECT min(sector) FROM sectors)";
    "empty" "UPDATE sectors SET data = x'' WHERE sector = (SELECT min(sector) FROM sectors)";
    "very-long" "UPDATE sectors SET data = zeroblob(3000000) WHERE sector = (SELECT min(sector) FROM sectors)";
}

/// Something that a stranger does to a file with SQLite, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attack(usize);

/// Where what was changed lies in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reached {
    /// In the file.
    File,
    /// In the log beside it.
    Log,
}

impl Attack {
    /// How many there are.
    pub const COUNT: usize = ATTACKS.len();

    /// The attack of that number, below [`Attack::COUNT`].
    pub fn nth(number: usize) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// The attack of that name.
    pub fn named(name: &str) -> Option<Self> {
        ATTACKS.iter().position(|attack| attack.0 == name).map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        ATTACKS[self.0].0
    }

    /// What must come of it.
    pub fn effect(self) -> Effect {
        ATTACKS[self.0].1
    }

    /// Does it, with none of the guards that `open` has.
    ///
    /// # Errors
    ///
    /// `Corrupt` and its like, when the file is no longer one that SQLite can change.
    pub fn strike(self, path: &Path, reached: Reached) -> Result<()> {
        let (name, _, sql) = ATTACKS[self.0];
        let failed = |e| sql_error(name, e);
        let conn = Connection::open(path).map_err(failed)?;
        let keeps_log = reached == Reached::Log;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps_log).map_err(failed)?;
        conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE").map_err(failed)?;
        conn.execute_batch(sql).map_err(failed)?;
        conn.close().map_err(|(_, e)| failed(e))
    }
}
