//! Who a new layer is, and in which state one is after its next write.

use std::sync::Arc;

use rusqlite::Connection;

use super::Options;
use super::database::sql_error;
use crate::error::Result;

/// Where identities come from.
pub(super) enum Identities {
    Given(Arc<dyn Fn() -> u128 + Send + Sync>),
    Random,
}

impl Identities {
    pub(super) fn of(options: &Options) -> Self {
        options.identities.clone().map_or(Self::Random, Self::Given)
    }

    pub(super) fn draw(&self, conn: &Connection) -> Result<u128> {
        match self {
            Self::Given(draw) => Ok(draw()),
            Self::Random => conn
                .query_row("SELECT randomblob(16)", [], |row| row.get(0))
                .map(u128::from_ne_bytes)
                .map_err(|e| sql_error("drawing an identity", e)),
        }
    }
}
