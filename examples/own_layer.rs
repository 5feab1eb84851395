//! Somebody's own disk, with a bug in it, and the harness pointed at it: `cargo run --example own_layer`.
//!
//! The disk keeps its sectors in memory and forgets which are zero. The bug: it finds out by looking at the first byte.

use std::collections::HashMap;
use std::process::ExitCode;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::harness::{Subject, search};
use disklayer_sqlite::request::Durability;

const SECTOR: usize = 512;
const SECTORS: u64 = 100;

#[derive(Default)]
struct SparseDisk {
    sectors: HashMap<u64, Vec<u8>>,
}

impl SparseDisk {
    fn check(&self, sector: u64, len: usize) -> Result<()> {
        if !len.is_multiple_of(SECTOR) {
            return Err(Error::new(ErrorKind::Misaligned, "not whole sectors"));
        }
        self.check_count(sector, (len / SECTOR) as u64)
    }

    fn check_count(&self, sector: u64, count: u64) -> Result<()> {
        match sector.checked_add(count) {
            Some(end) if end <= SECTORS => Ok(()),
            _ => Err(Error::new(ErrorKind::OutOfRange, "past the end")),
        }
    }
}

impl Subject for SparseDisk {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.check(sector, buf.len())?;
        for (at, buf) in (sector..).zip(buf.chunks_exact_mut(SECTOR)) {
            match self.sectors.get(&at) {
                Some(data) => buf.copy_from_slice(data),
                None => buf.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, data: &[u8], _durability: Durability) -> Result<()> {
        self.check(sector, data.len())?;
        for (at, data) in (sector..).zip(data.chunks_exact(SECTOR)) {
            match data[0] {
                0 => self.sectors.remove(&at),
                _ => self.sectors.insert(at, data.to_vec()),
            };
        }
        Ok(())
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        self.check_count(sector, count)?;
        self.sectors.retain(|at, _| !(sector..sector + count).contains(at));
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn main() -> ExitCode {
    let geometry = Geometry::new(SECTORS, SECTOR as u32).expect("a possible disk");
    match search(geometry, 1, 10_000, SparseDisk::default) {
        Ok(summary) => println!("PASS  {} sectors compared", summary.sectors),
        Err(finding) => println!("FAIL  in script {}, shrunk to:\n\n{}", finding.case, finding.divergence),
    }
    ExitCode::SUCCESS
}
