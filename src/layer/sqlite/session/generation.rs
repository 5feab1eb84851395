//! Who a layer is, and which of its states this is (rule 14).

use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::Session;
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::layer::sqlite::database::sql_error;
use crate::layer::sqlite::schema::{self, Lineage};
use crate::layer::sqlite::{Options, format};
use crate::layer::{Identity, Parent};

/// Whether the generation has changed since the file was opened (rule 14).
#[derive(Clone, Copy)]
pub(super) enum Generation {
    AsFound,
    /// It will be this one with the next write: somebody has been told.
    Promised(Identity),
    Changed,
}

/// Where identities come from.
pub(in crate::layer::sqlite) enum Identities {
    Given(Arc<dyn Fn() -> u128 + Send + Sync>),
    Random,
}

impl Identities {
    pub(in crate::layer::sqlite) fn of(options: &Options) -> Self {
        options.identities.clone().map_or(Self::Random, Self::Given)
    }

    pub(in crate::layer::sqlite) fn draw(&self, conn: &Connection) -> Result<u128> {
        match self {
            Self::Given(draw) => Ok(draw()),
            Self::Random => conn
                .prepare_cached("SELECT randomblob(16)")
                .and_then(|mut draw| draw.query_row([], |row| row.get(0)))
                .map(u128::from_ne_bytes)
                .map_err(|e| sql_error("drawing an identity", e)),
        }
    }
}

impl Session {
    /// The identity after the next write, if that changes it.
    pub(in crate::layer::sqlite) fn coming_identity(&mut self) -> Result<Option<Identity>> {
        match self.generation {
            Generation::Changed => Ok(None),
            Generation::Promised(identity) => Ok(Some(identity)),
            Generation::AsFound => {
                let drawn = self.identities.draw(&self.database.conn)?;
                let uuid = match self.lineage {
                    Some(lineage) => lineage.uuid,
                    None => Uuid::from_u128(self.identities.draw(&self.database.conn)?),
                };
                let identity = Identity { uuid, generation: drawn as u64 };
                self.generation = Generation::Promised(identity);
                Ok(Some(identity))
            }
        }
    }

    pub(in crate::layer::sqlite) fn seal(&mut self) {
        self.generation = Generation::AsFound;
    }

    pub(in crate::layer::sqlite) fn record_parent(&mut self, parent: &Parent) -> Result<()> {
        let Some(lineage) = self.lineage else { return Ok(()) };
        self.commit()?;
        self.write_lineage(Lineage { parent: Some(*parent), ..lineage })
    }

    /// Changes the generation, durably, before the first write after the file was opened.
    pub(super) fn change_generation(&mut self) -> Result<()> {
        let Some(identity) = self.coming_identity()? else { return Ok(()) };
        if planted(Fault::GenerationStays) {
            return Ok(());
        }
        self.take_back()?;
        self.commit()?;
        let parent = self.parent();
        self.write_lineage(Lineage { uuid: identity.uuid, generation: identity.generation, parent })?;
        self.generation = Generation::Changed;
        Ok(())
    }

    fn write_lineage(&mut self, lineage: Lineage) -> Result<()> {
        self.execute("BEGIN IMMEDIATE")?;
        let written = match self.has_identity_table {
            true => schema::write_lineage(&self.database.conn, &lineage),
            // A new table may have other pages moved.
            false => {
                self.shortcut.iter().for_each(|shortcut| shortcut.forget());
                self.execute(format::IDENTITY).and_then(|()| schema::write_lineage(&self.database.conn, &lineage))
            }
        };
        if let Err(error) = written {
            self.has_lost_changes |= !self.database.conn.is_autocommit() && self.execute("ROLLBACK").is_err();
            return Err(error);
        }
        let is_of_parent = lineage.parent != self.parent();
        match is_of_parent {
            true if planted(Fault::ParentCommittedWithWrite) => {}
            false if planted(Fault::GenerationCommittedWithWrite) => {}
            _ => self.commit()?,
        }
        self.has_identity_table = true;
        if !planted(Fault::GenerationStaleInMemory) || self.lineage.is_none() {
            self.lineage = Some(lineage);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::layer::sqlite::{Existing, FormatParams, MemoryFile, Options, SqliteDiskLayer};

    #[test]
    fn a_generation_that_cannot_be_written_leaves_no_transaction_open() {
        let format = FormatParams { logically_read_only: false, len: 4096, sector_size: 512 };
        let layer =
            SqliteDiskLayer::create(MemoryFile::default(), format, Existing::Keep, &Options::default()).unwrap();
        layer
            .with(|session| {
                let never = "DROP TABLE identity; CREATE TABLE identity(identity TEXT NOT NULL CHECK (FALSE))";
                session.connection().execute_batch(never).unwrap();
                session.change_generation().unwrap_err();
                assert!(session.connection().is_autocommit() && !session.has_lost_changes());
                Ok(())
            })
            .unwrap();
    }
}
