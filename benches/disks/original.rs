//! The layout of the original, OpenVMM's `disklayer_sqlite`, with an honest flush: one row for each sector of 512 bytes
//! and one statement for each row, NULL for a zeroed sector, a log, default pages.
//!
//! Nothing is made slower than the layout makes it. Statements are prepared once, an unmap with nothing below is one
//! `DELETE`, and the transaction stays open until the flush, which commits it with a sync of the log. SQLite checkpoints
//! where it does by default: in the flush, if the log has become long.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::disk::{Disk, Layering, Result, SECTOR, System};
use super::raw::Raw;

pub(crate) struct Original;

struct OriginalDisk {
    /// Top first.
    layers: Vec<Connection>,
    role: Role,
}

/// What is below the layers, and what is done with it.
enum Role {
    Disk,
    /// Sectors read from the image are kept in the top layer.
    CacheOf(Box<dyn Disk>),
}

impl System for Original {
    fn create(&self, path: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        self.create_over(path, &[], 0)
    }

    fn open(&self, path: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        self.open_over(path, &[], 0)
    }

    fn layering(&self) -> Layering {
        Layering::Layers
    }

    fn create_over(&self, path: &Path, below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        disk(create(path)?, below, Role::Disk)
    }

    fn open_over(&self, path: &Path, below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        disk(open(path)?, below, Role::Disk)
    }

    fn create_cache(&self, path: &Path, image: &Path, size: u64) -> Result<Option<Box<dyn Disk>>> {
        disk(create(path)?, &[], Role::CacheOf(Raw.open(image, size)?)).map(Some)
    }

    fn open_cache(&self, path: &Path, image: &Path, size: u64) -> Result<Box<dyn Disk>> {
        disk(open(path)?, &[], Role::CacheOf(Raw.open(image, size)?))
    }
}

fn create(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    configure(&conn)?;
    conn.execute_batch(
        "BEGIN;
         CREATE TABLE meta (metadata TEXT NOT NULL) STRICT;
         CREATE TABLE sectors (sector INTEGER NOT NULL PRIMARY KEY, data BLOB) STRICT;
         INSERT INTO meta VALUES ('{}');
         COMMIT",
    )?;
    Ok(conn)
}

fn open(path: &Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    configure(&conn)?;
    conn.query_row("SELECT metadata FROM meta", [], |_| Ok(()))?;
    Ok(conn)
}

fn configure(conn: &Connection) -> Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    Ok(conn.pragma_update(None, "synchronous", "FULL")?)
}

fn disk(top: Connection, below: &[PathBuf], role: Role) -> Result<Box<dyn Disk>> {
    let below = below.iter().map(|path| open(path));
    let layers = std::iter::once(Ok(top)).chain(below).collect::<Result<_>>()?;
    Ok(Box::new(OriginalDisk { layers, role }))
}

/// Fills the sectors of `buf` that no layer above has filled.
fn read_layer(conn: &Connection, first: u64, buf: &mut [u8], filled: &mut [bool]) -> Result<()> {
    let mut select = conn.prepare_cached("SELECT sector, data FROM sectors WHERE sector BETWEEN ?1 AND ?2")?;
    let mut rows = select.query(params![first as i64, (first + filled.len() as u64 - 1) as i64])?;
    while let Some(row) = rows.next()? {
        let index = usize::try_from(row.get::<_, i64>(0)? - first as i64)?;
        if std::mem::replace(&mut filled[index], true) {
            continue;
        }
        let sector = &mut buf[index * SECTOR..][..SECTOR];
        match row.get_ref(1)?.as_blob_or_null()? {
            Some(data) => sector.copy_from_slice(data),
            None => sector.fill(0),
        }
    }
    Ok(())
}

impl OriginalDisk {
    /// The top layer, in the transaction that the next flush commits.
    fn top(&self) -> Result<&Connection> {
        let top = &self.layers[0];
        if top.is_autocommit() {
            top.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(top)
    }
}

impl Disk for OriginalDisk {
    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<()> {
        let first = at / SECTOR as u64;
        let mut filled = vec![false; buf.len() / SECTOR];
        for layer in &self.layers {
            read_layer(layer, first, buf, &mut filled)?;
            if filled.iter().all(|&filled| filled) {
                return Ok(());
            }
        }
        if let Role::CacheOf(image) = &mut self.role {
            let mut whole = vec![0; buf.len()];
            image.read(at, &mut whole)?;
            let top = self.top()?;
            let mut insert = top.prepare_cached("INSERT OR IGNORE INTO sectors (sector, data) VALUES (?1, ?2)")?;
            for (index, sector) in whole.chunks_exact(SECTOR).enumerate().filter(|&(index, _)| !filled[index]) {
                buf[index * SECTOR..][..SECTOR].copy_from_slice(sector);
                insert.execute(params![(first + index as u64) as i64, sector])?;
            }
            return Ok(());
        }
        for (sector, _) in buf.chunks_exact_mut(SECTOR).zip(filled).filter(|(_, filled)| !filled) {
            sector.fill(0);
        }
        Ok(())
    }

    fn write(&mut self, at: u64, data: &[u8]) -> Result<()> {
        let top = self.top()?;
        let mut insert = top.prepare_cached("INSERT OR REPLACE INTO sectors (sector, data) VALUES (?1, ?2)")?;
        for (sector, data) in (at / SECTOR as u64..).zip(data.chunks_exact(SECTOR)) {
            let data = data.iter().any(|&byte| byte != 0).then_some(data);
            insert.execute(params![sector as i64, data])?;
        }
        Ok(())
    }

    fn unmap(&mut self, at: u64, len: u64) -> Result<()> {
        let (first, end) = (at / SECTOR as u64, (at + len) / SECTOR as u64);
        let top = self.top()?;
        if self.layers.len() == 1 {
            let mut delete = top.prepare_cached("DELETE FROM sectors WHERE sector BETWEEN ?1 AND ?2")?;
            delete.execute(params![first as i64, (end - 1) as i64])?;
            return Ok(());
        }
        let mut insert = top.prepare_cached("INSERT OR REPLACE INTO sectors (sector, data) VALUES (?1, NULL)")?;
        for sector in first..end {
            insert.execute([sector as i64])?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.layers[0].is_autocommit() {
            self.layers[0].execute_batch("COMMIT")?;
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.flush()?;
        for layer in self.layers {
            layer.close().map_err(|(_, error)| error)?;
        }
        Ok(())
    }
}
