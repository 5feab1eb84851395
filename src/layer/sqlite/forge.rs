//! Files as a stranger would make them: valid for SQLite, and wrong for us. For proving that `open` is not taken in.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::database::sql_error;
use super::format::Format;
use crate::error::Result;

/// What must come of a file after an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Opening refuses it.
    Refused,
    /// It is served as if nothing had been done.
    Served,
    /// It is served, but for one present sector, which is an error; with it, in format 1, its cluster.
    SectorLost,
}

macro_rules! attacks {
    ($($effect:ident $of:ident: $($name:literal $sql:expr;)+)+) => {
        /// Attacks: the name of each, what must come of it, on which files, and how it is done.
        const ATTACKS: &[(&str, Effect, On, &str)] = &[$($(($name, Effect::$effect, On::$of, $sql),)+)+];
    };
}

/// The files that have the tables for an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Any,
    Original,
    One,
}

attacks! {
Refused Any:
    "no-meta" "DROP TABLE meta";
    "empty-meta" "DELETE FROM meta";
    "two-meta-rows" "INSERT INTO meta SELECT metadata FROM meta";
    "two-identities" "INSERT INTO identity SELECT identity FROM identity";
    "extra-table" "CREATE TABLE extra(x)";
    "statistics" "ANALYZE";
    "meta-view" "ALTER TABLE meta RENAME TO m; CREATE VIEW meta AS SELECT metadata FROM m";
    "virtual-table" "CREATE VIRTUAL TABLE v USING fts5(x)";
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
    "future" "PRAGMA user_version=2";
    "far-future" "PRAGMA user_version=2147483647";
    "version-negative" "PRAGMA user_version=-1";
    "another-application" "PRAGMA application_id=1";
Refused Original:
    "no-sectors" "DROP TABLE sectors";
    "renamed" "ALTER TABLE sectors RENAME TO sector";
    "extra-index" "CREATE INDEX i ON sectors(data)";
    "extra-view" "CREATE VIEW v AS SELECT * FROM sectors";
    "trigger" "CREATE TRIGGER t AFTER INSERT ON sectors BEGIN DELETE FROM sectors; END";
    "delete-trigger" "CREATE TRIGGER t BEFORE DELETE ON sectors BEGIN UPDATE meta SET metadata = 'gone'; END";
    "view-of-our-name" "ALTER TABLE sectors RENAME TO s; CREATE VIEW sectors AS SELECT sector, data FROM s";
    "endless-view" "DROP TABLE sectors; CREATE VIEW sectors AS WITH RECURSIVE n(i) AS \
        (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS sector, NULL AS data FROM n";
    "fts-of-our-name" "DROP TABLE sectors; CREATE VIRTUAL TABLE sectors USING fts5(sector, data)";
    "rtree-of-our-name" "DROP TABLE sectors; CREATE VIRTUAL TABLE sectors USING rtree(sector, a, b)";
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
    "sector-negative" "INSERT INTO sectors VALUES (-1, NULL)";
    "sector-least" "INSERT INTO sectors VALUES (-9223372036854775808, NULL)";
    "sector-past-the-end" "INSERT INTO sectors SELECT json_extract(metadata, '$.sector_count'), NULL FROM meta";
    "sector-largest" "INSERT INTO sectors VALUES (9223372036854775807, NULL)";
    "version-of-clusters" "PRAGMA user_version=1";
Refused One:
    "no-clusters" "DROP TABLE clusters";
    "no-zeros" "DROP TABLE zeros";
    "clusters-renamed" "ALTER TABLE clusters RENAME TO cluster";
    "version-of-the-original" "PRAGMA user_version=0";
    "version-of-nobody" "PRAGMA application_id=0";
    "index-on-zeros" "CREATE INDEX i ON zeros(stop)";
    "trigger-on-clusters" "CREATE TRIGGER t AFTER INSERT ON clusters BEGIN DELETE FROM zeros; END";
    "view-of-clusters" "ALTER TABLE clusters RENAME TO c; CREATE VIEW clusters AS SELECT cluster, data FROM c";
    "view-of-zeros" "ALTER TABLE zeros RENAME TO z; CREATE VIEW zeros AS SELECT start, stop FROM z";
    "endless-zeros" "DROP TABLE zeros; CREATE VIEW zeros AS WITH RECURSIVE n(i) AS \
        (SELECT 1 UNION ALL SELECT i + 2 FROM n) SELECT i AS start, i + 1 AS stop FROM n";
    "fts-of-clusters" "DROP TABLE clusters; CREATE VIRTUAL TABLE clusters USING fts5(cluster, data)";
    "rtree-of-zeros" "DROP TABLE zeros; CREATE VIRTUAL TABLE zeros USING rtree(start, stop, more)";
    "generated-clusters" "DROP TABLE clusters; CREATE TABLE clusters(cluster INTEGER NOT NULL PRIMARY KEY, \
        data BLOB NOT NULL AS (zeroblob(4188)))";
    "generated-zeros" "DROP TABLE zeros; CREATE TABLE zeros(start INTEGER NOT NULL PRIMARY KEY, \
        stop INTEGER NOT NULL AS (start + 1))";
    "text-key-of-clusters" "DROP TABLE clusters; CREATE TABLE clusters(cluster TEXT NOT NULL PRIMARY KEY, \
        data BLOB NOT NULL)";
    "no-key-of-clusters" "DROP TABLE clusters; CREATE TABLE clusters(cluster INTEGER NOT NULL, data BLOB NOT NULL)";
    "no-key-of-zeros" "DROP TABLE zeros; CREATE TABLE zeros(start INTEGER NOT NULL, stop INTEGER NOT NULL)";
    "text-clusters" "DROP TABLE clusters; CREATE TABLE clusters(cluster INTEGER NOT NULL PRIMARY KEY, \
        data TEXT NOT NULL)";
    "text-zeros" "DROP TABLE zeros; CREATE TABLE zeros(start INTEGER NOT NULL PRIMARY KEY, stop TEXT NOT NULL)";
    "more-columns-of-clusters" "ALTER TABLE clusters ADD COLUMN more BLOB";
    "fewer-columns-of-zeros" "DROP TABLE zeros; CREATE TABLE zeros(start INTEGER NOT NULL PRIMARY KEY)";
    "clusters-without-rowid" "DROP TABLE clusters; CREATE TABLE clusters(cluster INTEGER NOT NULL PRIMARY KEY, \
        data BLOB NOT NULL) WITHOUT ROWID";
    "no-sizes" "UPDATE meta SET metadata = json_remove(metadata, '$.block_size', '$.cluster_size')";
    "no-cluster-size" "UPDATE meta SET metadata = json_remove(metadata, '$.cluster_size')";
    "block-0" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', 0)";
    "block-1" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', 1)";
    "block-3000" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', 3000)";
    "block-65536" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', 65536, '$.cluster_size', 65536)";
    "block-2-31" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', 2147483648, \
        '$.cluster_size', 2147483648)";
    "block-2-32" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', 4294967296)";
    "block-negative" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', -4096)";
    "block-text" "UPDATE meta SET metadata = json_set(metadata, '$.block_size', '4096')";
    "cluster-0" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', 0)";
    "cluster-of-half-a-block" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', \
        json_extract(metadata, '$.block_size') / 2)";
    "cluster-of-half-a-sector" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', \
        json_extract(metadata, '$.sector_size') / 2)";
    "cluster-of-32-blocks" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', \
        json_extract(metadata, '$.block_size') * 32)";
    "cluster-of-128-sectors" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', \
        json_extract(metadata, '$.sector_size') * 128)";
    "cluster-no-power" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', \
        json_extract(metadata, '$.cluster_size') + 1)";
    "cluster-2-31" "UPDATE meta SET metadata = json_set(metadata, '$.cluster_size', 2147483648)";
    "cluster-number-negative" "INSERT INTO clusters SELECT -1, data FROM clusters WHERE cluster = 0";
    "cluster-number-least" "INSERT INTO clusters SELECT -9223372036854775808, data FROM clusters WHERE cluster = 0";
    "cluster-past-the-end" "INSERT INTO clusters SELECT 1 + json_extract(metadata, '$.sector_count') \
        * json_extract(metadata, '$.sector_size') / json_extract(metadata, '$.cluster_size'), data \
        FROM meta JOIN clusters WHERE cluster = 0";
    "cluster-largest" "INSERT INTO clusters SELECT 9223372036854775807, data FROM clusters WHERE cluster = 0";
    "cluster-text" "UPDATE clusters SET data = 'text' WHERE cluster = (SELECT min(cluster) FROM clusters)";
    "cluster-number" "UPDATE clusters SET data = 7 WHERE cluster = (SELECT min(cluster) FROM clusters)";
    "cluster-of-another-type" "UPDATE clusters SET data = CAST(data AS TEXT) WHERE cluster = 0";
    "zeros-negative" "INSERT INTO zeros VALUES (-2, -1)";
    "zeros-from-the-least" "INSERT INTO zeros VALUES (-9223372036854775808, 1)";
    "zeros-empty" "INSERT INTO zeros VALUES (0, 0)";
    "zeros-reversed" "INSERT INTO zeros VALUES (1, 0)";
    "zeros-to-the-least" "INSERT INTO zeros VALUES (0, -9223372036854775808)";
    "zeros-over-a-row" "INSERT OR REPLACE INTO zeros VALUES (0, 1)";
    "zeros-past-the-end" "DELETE FROM zeros; INSERT INTO zeros SELECT max(cluster) + 1, \
        1 + (json_extract(metadata, '$.sector_count') * json_extract(metadata, '$.sector_size') \
        + json_extract(metadata, '$.cluster_size') - 1) / json_extract(metadata, '$.cluster_size') \
        FROM clusters JOIN meta";
    "zeros-without-end" "INSERT OR REPLACE INTO zeros SELECT max(cluster) + 1, 9223372036854775807 FROM clusters";
    "zeros-at-the-largest" "INSERT INTO zeros VALUES (9223372036854775807, 9223372036854775807)";
    "zeros-real" "INSERT OR REPLACE INTO zeros VALUES (0, 0.5)";
    "zeros-text" "INSERT OR REPLACE INTO zeros VALUES (0, 'text')";
    "zeros-blob" "INSERT OR REPLACE INTO zeros VALUES (0, x'01')";
Served Any:
    "cookie" "PRAGMA schema_version=123456";
    "no-identity" "DROP TABLE identity";
    "empty-identity" "DELETE FROM identity";
    "vacuum" "VACUUM";
    "grown" "CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(50000)); DROP TABLE t";
Served Original:
    "own-words" "ALTER TABLE sectors RENAME TO s; CREATE TABLE [sectors] (\"sector\" integer /* ours */ not null, \
        data blob, primary key(sector)); INSERT INTO sectors SELECT * FROM s; DROP TABLE s";
    "default" "ALTER TABLE sectors RENAME TO s; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, \
        data BLOB DEFAULT (hex(randomblob(9)))); INSERT INTO sectors SELECT * FROM s; DROP TABLE s";
    "foreign-key" "PRAGMA foreign_keys=OFF; ALTER TABLE meta RENAME TO m; CREATE TABLE meta(metadata TEXT NOT NULL \
        REFERENCES sectors(sector) ON DELETE CASCADE); INSERT INTO meta SELECT * FROM m; DROP TABLE m";
Served One:
    "own-words-for-clusters" "ALTER TABLE clusters RENAME TO c; CREATE TABLE [clusters] (\"cluster\" integer /* ours */ \
        not null, data blob not null, primary key(cluster)); INSERT INTO clusters SELECT * FROM c; DROP TABLE c";
    "defaults" "ALTER TABLE zeros RENAME TO z; CREATE TABLE zeros(start INTEGER PRIMARY KEY, \
        stop INTEGER DEFAULT (random())); INSERT INTO zeros SELECT * FROM z; DROP TABLE z";
    "foreign-key-to-clusters" "PRAGMA foreign_keys=OFF; ALTER TABLE zeros RENAME TO z; CREATE TABLE zeros(start INTEGER \
        NOT NULL PRIMARY KEY, stop INTEGER NOT NULL REFERENCES clusters(cluster) ON DELETE CASCADE); \
        INSERT INTO zeros SELECT * FROM z; DROP TABLE z";
    "pages-of-another-size" "PRAGMA journal_mode=DELETE; PRAGMA page_size=2048; VACUUM";
    "no-vacuum" "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM";
SectorLost Original:
    "short" "UPDATE sectors SET data = x'01' WHERE sector = (SELECT min(sector) FROM sectors)";
    "a-byte-short" "UPDATE sectors SET data = zeroblob((SELECT json_extract(metadata, '$.sector_size') FROM meta) - 1) \
        WHERE sector = (SELECT min(sector) FROM sectors)";
    "a-byte-long" "UPDATE sectors SET data = zeroblob((SELECT json_extract(metadata, '$.sector_size') FROM meta) + 1) \
        WHERE sector = (SELECT min(sector) FROM sectors)";
    "text" "UPDATE sectors SET data = 'text' WHERE sector = (SELECT min(sector) FROM sectors)";
    "number" "UPDATE sectors SET data = 1 WHERE sector = (SELECT min(sector) FROM sectors)";
    "empty" "UPDATE sectors SET data = x'' WHERE sector = (SELECT min(sector) FROM sectors)";
    "very-long" "UPDATE sectors SET data = zeroblob(3000000) WHERE sector = (SELECT min(sector) FROM sectors)";
SectorLost One:
    "row-empty" "UPDATE clusters SET data = x'' WHERE cluster = 0";
    "last-row-empty" "UPDATE clusters SET data = x'' WHERE cluster = (SELECT max(cluster) FROM clusters)";
    "last-row-a-byte-short" "UPDATE clusters SET data = substr(data, 1, length(data) - 1) \
        WHERE cluster = (SELECT max(cluster) FROM clusters)";
    "row-short" "UPDATE clusters SET data = x'01' WHERE cluster = 0";
    "row-of-half-a-head" "UPDATE clusters SET data = substr(data, 1, 48) WHERE cluster = 0";
    "row-a-byte-short" "UPDATE clusters SET data = substr(data, 1, length(data) - 1) WHERE cluster = 0";
    "row-a-byte-long" "UPDATE clusters SET data = CAST(data || x'00' AS BLOB) WHERE cluster = 0";
    "row-long" "UPDATE clusters SET data = zeroblob(900000) WHERE cluster = 0";
    "row-very-long" "UPDATE clusters SET data = zeroblob(3000000) WHERE cluster = 0";
    "row-twice-as-long" "UPDATE clusters SET data = CAST(data || data AS BLOB) WHERE cluster = 0";
    "data-without-presence" "UPDATE clusters SET data = CAST(x'0000000000000000' || substr(data, 9) AS BLOB) \
        WHERE cluster = 0";
    "data-everywhere" "UPDATE clusters SET data = CAST(substr(data, 1, 8) || x'ffffffffffffffff' || substr(data, 17) \
        AS BLOB) WHERE cluster = 0 AND substr(data, 1, 8) <> x'ffffffffffffffff'; \
        UPDATE clusters SET data = CAST(x'0000000000000000' || substr(data, 9) AS BLOB) \
        WHERE cluster = 0 AND substr(data, 1, 8) = x'ffffffffffffffff'";
    "data-without-place" "UPDATE clusters SET data = CAST(substr(data, 1, 16) || x'00' || substr(data, 18) AS BLOB) \
        WHERE cluster = 0";
    "place-past-the-room" "UPDATE clusters SET data = CAST(substr(data, 1, 16) || x'ff' || substr(data, 18) AS BLOB) \
        WHERE cluster = 0";
    "place-17" "UPDATE clusters SET data = CAST(substr(data, 1, 16) || x'11' || substr(data, 18) AS BLOB) \
        WHERE cluster = 0";
    "place-32" "UPDATE clusters SET data = CAST(substr(data, 1, 16) || x'20' || substr(data, 18) AS BLOB) \
        WHERE cluster = 0";
    "place-twice" "UPDATE clusters SET data = CAST(substr(data, 1, 16) || x'0101' || substr(data, 19) AS BLOB) \
        WHERE cluster = 0";
    "places-all-alike" "UPDATE clusters SET data = CAST(substr(data, 1, 16) || x'01010101010101010101010101010101' \
        || substr(data, 33) AS BLOB) WHERE cluster = 0";
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
    /// Those that files of that format have the tables for.
    pub fn on(format: Format) -> impl Iterator<Item = Self> {
        let fits = move |on| match on {
            On::Any => true,
            On::Original => format == Format::Original,
            On::One => format == Format::One,
        };
        ATTACKS.iter().enumerate().filter(move |(_, attack)| fits(attack.2)).map(|(number, _)| Self(number))
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
        let (name, _, _, sql) = ATTACKS[self.0];
        let failed = |e| sql_error(name, e);
        let conn = Connection::open(path).map_err(failed)?;
        let keeps_log = reached == Reached::Log;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps_log).map_err(failed)?;
        conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE").map_err(failed)?;
        conn.execute_batch(sql).map_err(failed)?;
        conn.close().map_err(|(_, e)| failed(e))
    }
}
