//! The formats of a file: what each is called in the header, and which tables it has.

use super::Options;
use super::clusters::{Clusters, Shape};
use super::layout::Layout;
use super::rows;
use crate::geometry::Geometry;

/// "dbhd", in the header of files that are made here; the original leaves 0.
pub(super) const APPLICATION_ID: i32 = 0x6462_6864;
/// "dbh?", in its place while a file is filled part by part, beside the name that it is for.
pub(super) const UNFINISHED: i32 = 0x6462_683f;

pub(super) const SECTORS: &str = "CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data BLOB)";
pub(super) const CLUSTERS: &str = "CREATE TABLE clusters(cluster INTEGER NOT NULL PRIMARY KEY, data BLOB NOT NULL)";
pub(super) const ZEROS: &str = "CREATE TABLE zeros(start INTEGER NOT NULL PRIMARY KEY, stop INTEGER NOT NULL)";
pub(super) const META: &str = "CREATE TABLE meta(metadata TEXT NOT NULL)";
pub(super) const IDENTITY: &str = "CREATE TABLE identity(identity TEXT NOT NULL)";

/// How sectors lie in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Format 0, that of OpenVMM's crate: a row for each sector.
    Original,
    /// Format 1: a row for each cluster of sectors. New files have it.
    #[default]
    One,
}

/// A table: its name, its text as written here, and its columns.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    pub(super) columns: &'static [Column],
}

/// A column: its name, its type, and what must hold of it.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) ty: &'static str,
    pub(super) rule: Rule,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is the primary key.
    Key,
    /// It may be NULL: a column that is NOT NULL would store its default in the place of zeros.
    Nullable,
    /// It is a value, and NULL is damage where it is met.
    Value,
}

impl Format {
    /// The newest one.
    pub const NEWEST: Self = Self::One;

    /// Its number, as in `user_version`.
    pub fn version(self) -> i32 {
        match self {
            Self::Original => 0,
            Self::One => 1,
        }
    }

    /// The format of that number.
    pub fn of_version(version: i32) -> Option<Self> {
        [Self::Original, Self::One].into_iter().find(|format| format.version() == version)
    }

    /// The tables with sectors; and those that every format has, of which a file may lack the second.
    pub(super) fn tables(self) -> (&'static [Table], &'static [Table; 2]) {
        match self {
            Self::Original => (ROWS, COMMON),
            Self::One => (CLUSTER_ROWS, COMMON),
        }
    }
}

const ROWS: &[Table] = &[Table {
    name: "sectors",
    sql: SECTORS,
    columns: &[column("sector", "INTEGER", Rule::Key), column("data", "BLOB", Rule::Nullable)],
}];

const CLUSTER_ROWS: &[Table] = &[
    Table {
        name: "clusters",
        sql: CLUSTERS,
        columns: &[column("cluster", "INTEGER", Rule::Key), column("data", "BLOB", Rule::Value)],
    },
    Table {
        name: "zeros",
        sql: ZEROS,
        columns: &[column("start", "INTEGER", Rule::Key), column("stop", "INTEGER", Rule::Value)],
    },
];

const COMMON: &[Table; 2] = &[
    Table { name: "meta", sql: META, columns: &[column("metadata", "TEXT", Rule::Value)] },
    Table { name: "identity", sql: IDENTITY, columns: &[column("identity", "TEXT", Rule::Value)] },
];

const fn column(name: &'static str, ty: &'static str, rule: Rule) -> Column {
    Column { name, ty, rule }
}

/// How the sectors of one file lie in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
    Rows,
    Clusters(Shape),
}

impl Stored {
    /// The options that make another file like it.
    pub(super) fn options(self, options: &Options) -> Options {
        match self {
            Self::Rows => Options { format: Format::Original, ..options.clone() },
            Self::Clusters(shape) => {
                Options { format: Format::One, page_size: shape.block_size() as u32, ..options.clone() }
            }
        }
    }

    /// The layout, for one connection.
    pub(super) fn layout(self, geometry: Geometry) -> Box<dyn Layout> {
        match self {
            Self::Rows => Box::new(rows::Rows { sector_size: geometry.sector_size() }),
            Self::Clusters(shape) => Box::new(Clusters::new(shape)),
        }
    }
}
