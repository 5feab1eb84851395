//! A layer while it is open: its transaction, its generation, and whether it can still vouch for what it holds.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::Connection;

use super::checkpoint::Log;
use super::database::{Database, sql_error};
use super::format::Stored;
use super::layout::{Change, Layout};
use super::readers::Readers;
use super::scan::scan;
use super::schema::{Lineage, corrupt};
use super::shortcut::Shortcut;
use super::{Location, Mode, Options, space, structure};
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Access, Below, Identity, Parent, SectorMarker};

mod generation;
mod leaving;
mod taking;
mod transaction;

use generation::Generation;
pub(super) use generation::Identities;

pub(super) struct Session {
    database: Database,
    log: Log,
    shortcut: Option<Arc<Shortcut>>,
    readers: Option<Arc<Readers>>,
    layout: Box<dyn Layout>,
    stored: Stored,
    geometry: Geometry,
    access: Access,
    lineage: Option<Lineage>,
    has_identity_table: bool,
    generation: Generation,
    identities: Identities,
    dirty_limit: u64,
    write_back: u64,
    /// Bytes acknowledged and not yet committed.
    dirty: u64,
    has_lost_changes: bool,
    free: space::Free,
    /// What could not be given back may lie in the log as a transaction, behind all that was committed.
    ends_in_failure: bool,
}

impl Session {
    /// `made` is the identity of the layer if it has just been made.
    pub(super) fn open(location: &Location, mode: Mode, options: &Options, made: Option<Identity>) -> Result<Self> {
        let mut database = Database::connect(location, mode, options)?;
        match Self::take_over(&mut database, location, mode, options, made) {
            Ok((contents, access, whole)) => Ok(Self {
                log: Log::of(&mut database, contents.page_size, options)?,
                shortcut: Shortcut::around(&database, &contents, whole, options.mapped_bytes).map(Arc::new),
                readers: database
                    .door()
                    .map(|door| Arc::new(Readers::through(door, contents.stored, contents.geometry))),
                layout: contents.stored.layout(contents.geometry),
                stored: contents.stored,
                geometry: contents.geometry,
                access,
                lineage: contents.lineage,
                has_identity_table: contents.tables.has_identity,
                generation: Generation::AsFound,
                identities: Identities::of(options),
                dirty_limit: options.dirty_limit,
                write_back: options.write_back,
                dirty: 0,
                has_lost_changes: false,
                free: space::Free::default(),
                ends_in_failure: false,
                database,
            }),
            Err(error) => {
                // Refused: what was there stays, a database in memory included.
                let _ = database.close();
                Err(error.in_context(format!("opening {location}")))
            }
        }
    }

    /// The ways around this session.
    pub(super) fn ways_around(&self) -> (Option<Arc<Shortcut>>, Option<Arc<Readers>>) {
        (self.shortcut.clone(), self.readers.clone())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.database.conn
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.lineage.map(|lineage| lineage.identity())
    }

    pub(super) fn parent(&self) -> Option<Parent> {
        self.lineage.and_then(|lineage| lineage.parent)
    }

    /// After a failure SQLite is only well again when nothing holds a transaction open.
    pub(super) fn let_go(&self) {
        self.layout.let_go();
    }

    /// Whether acknowledged changes are gone. A full or failing disk may make SQLite roll back all of the transaction,
    /// whatever statement met it: one that only reads, too.
    pub(super) fn has_lost_changes(&self) -> bool {
        let rolled_back = self.dirty > 0 && self.database.conn.is_autocommit();
        self.has_lost_changes || self.database.is_broken() || rolled_back && !planted(Fault::RollbackUnnoticed)
    }

    pub(super) fn read(&self, range: Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        self.layout.read(&self.database.conn, range, buf, marker)
    }

    pub(super) fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        self.layout.next_extent(&self.database.conn, sector)
    }

    pub(super) fn zeroed_until(&self, sector: u64) -> Result<u64> {
        self.layout.zeroed_until(&self.database.conn, sector)
    }

    pub(super) fn write(&mut self, range: Range<u64>, data: &[u8]) -> Result<()> {
        self.change_generation()?;
        if planted(Fault::RequestInSeveralTransactions) {
            let size = self.geometry.sector_size() as usize;
            for (sector, data) in range.zip(data.chunks_exact(size)) {
                self.change(data.len() as u64, Change::Store(&(sector..sector + 1)), |layout, conn| {
                    layout.write(conn, sector..sector + 1, data)
                })?;
                self.commit()?;
            }
            return Ok(());
        }
        self.change(data.len() as u64, Change::Store(&range.clone()), |layout, conn| layout.write(conn, range, data))
    }

    pub(super) fn fill(&mut self, range: Range<u64>, data: &[u8]) -> Result<()> {
        if planted(Fault::FillLiftsSeal) {
            self.generation = Generation::Changed;
        }
        self.change(data.len() as u64, Change::Store(&range.clone()), |layout, conn| layout.fill(conn, range, data))
    }

    /// A fill that replaces what is there.
    #[cfg(feature = "planted-faults")]
    pub(super) fn fill_over(&mut self, range: Range<u64>, data: &[u8]) -> Result<()> {
        self.change(data.len() as u64, Change::Store(&range.clone()), |layout, conn| layout.write(conn, range, data))
    }

    pub(super) fn unmap(&mut self, range: Range<u64>, below: Below) -> Result<()> {
        self.change_generation()?;
        // Counted as if they were data: what matters is that the limit is reached.
        let bytes = (range.end - range.start).saturating_mul(self.geometry.sector_size().into());
        let uncounted = planted(Fault::CloseDropsUnmaps) || planted(Fault::FlushSkippedWhenUncounted);
        let bytes = if uncounted { 0 } else { bytes };
        self.free = space::Free::Likely;
        self.change(bytes, Change::Unmap(&range.clone()), |layout, conn| layout.unmap(conn, range, below))
    }

    pub(super) fn clear(&mut self) -> Result<()> {
        self.change_generation()?;
        self.free = space::Free::Likely;
        self.change(0, Change::Clear, |layout, conn| layout.clear(conn))?;
        if planted(Fault::ClearNotCommitted) { Ok(()) } else { self.commit() }
    }

    /// Commits, which syncs; with nothing to commit everything acknowledged is durable already.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.take_back()?;
        if planted(Fault::FlushDropsTransaction) && !self.database.conn.is_autocommit() {
            self.settle_all()?;
            self.dirty = 0;
            return self.execute("ROLLBACK");
        }
        let forgotten = match self.generation {
            Generation::AsFound => false,
            Generation::Promised(_) => planted(Fault::FlushForgetsPromise),
            Generation::Changed => planted(Fault::FlushStartsGeneration),
        };
        if forgotten {
            self.generation = Generation::AsFound;
        }
        if planted(Fault::FlushDoesNothing)
            || planted(Fault::FlushHandedOver)
            || self.dirty == 0 && planted(Fault::FlushSkippedWhenUncounted)
        {
            return Ok(());
        }
        self.commit()?;
        self.give_back(space::When::Flushed);
        Ok(())
    }

    /// SQLite's own check of every page, and a look at every row.
    pub(super) fn verify(&mut self) -> Result<()> {
        self.settle_all()?;
        let check = self.database.conn.prepare_cached("PRAGMA main.integrity_check(1)");
        let found: String = check
            .and_then(|mut check| check.query_row([], |row| row.get(0)))
            .map_err(|e| sql_error("checking the database", e))?;
        if found != "ok" {
            return Err(structure::told(&found));
        }
        let lost = scan(&self.database.conn, self.geometry, self.stored, &mut |_, _| Ok(()))?;
        match lost.first() {
            None => Ok(()),
            Some(lost) => Err(corrupt("its row cannot be read").at_sector(lost.start)),
        }
    }
}
