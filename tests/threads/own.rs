//! Disks of other people's, used by several threads.

use std::ops::Range;
use std::sync::PoisonError;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::harness::{
    Divergence, Finding, Shared, Subject, Summary, Threads, minimize, prove_own, run, search,
};
use disklayer_sqlite::layer::Durability;
use disklayer_sqlite::oracle::Oracle;
use disklayer_sqlite::script::{LayerKind, LayerShape, Script, Shape};
use disklayer_sqlite::sync::RwLock;

use super::search::script;

const SIZE: usize = 512;
const SECTORS: u64 = 16;

/// How much of a request holds the lock at once.
#[derive(Clone, Copy)]
enum Locked {
    Request,
    /// The bug.
    Sector,
    /// Another: a copy is changed meanwhile, and what others change is lost.
    NotTheChange,
}

/// Somebody's disk in memory.
struct Own {
    bytes: RwLock<Vec<u8>>,
    locked: Locked,
    threads: Threads,
}

impl Own {
    fn new(locked: Locked) -> Self {
        Self { bytes: RwLock::new(vec![0; SECTORS as usize * SIZE]), locked, threads: Threads::TakeTurns }
    }

    fn geometry(&self) -> Result<Geometry> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        Geometry::from_len(bytes.len() as u64, SIZE as u32)
    }

    fn change_a_copy(&self, range: Range<usize>, data: impl Fn(usize) -> u8) {
        let mut copy = self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone();
        std::thread::yield_now();
        range.clone().for_each(|at| copy[at] = data(at - range.start));
        *self.bytes.write().unwrap_or_else(PoisonError::into_inner) = copy;
    }

    fn change(&self, sector: u64, count: u64, data: impl Fn(usize) -> u8) -> Result<()> {
        let range = self.geometry()?.check_range(sector, count)?;
        let (start, end) = (range.start as usize * SIZE, range.end as usize * SIZE);
        let step = match self.locked {
            Locked::Request => (end - start).max(1),
            Locked::Sector => SIZE,
            Locked::NotTheChange => {
                self.change_a_copy(start..end, data);
                return Ok(());
            }
        };
        for from in (start..end).step_by(step) {
            let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
            (from..end.min(from + step)).for_each(|at| bytes[at] = data(at - start));
        }
        Ok(())
    }
}

fn whole(len: usize) -> Result<u64> {
    match len.is_multiple_of(SIZE) {
        true => Ok((len / SIZE) as u64),
        false => Err(Error::new(ErrorKind::Misaligned, "a buffer that is not whole sectors")),
    }
}

impl Shared for Own {
    fn read(&self, sector: u64, buf: &mut [u8]) -> Result<()> {
        let range = self.geometry()?.check_range(sector, whole(buf.len())?)?;
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        buf.copy_from_slice(&bytes[range.start as usize * SIZE..range.end as usize * SIZE]);
        Ok(())
    }

    fn write(&self, sector: u64, data: &[u8], _durability: Durability) -> Result<()> {
        self.change(sector, whole(data.len())?, |at| data[at])
    }

    fn unmap(&self, sector: u64, count: u64) -> Result<()> {
        self.change(sector, count, |_| 0)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

impl Subject for Own {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        Shared::read(self, sector, buf)
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        Shared::write(self, sector, data, durability)
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        Shared::unmap(self, sector, count)
    }

    fn flush(&mut self) -> Result<()> {
        Shared::flush(self)
    }

    fn shared(&self) -> Option<&dyn Shared> {
        Some(self)
    }

    fn threads(&self) -> Threads {
        self.threads
    }
}

/// Runs what a random script does on such a disk.
fn prove(script: &Script, locked: Locked) -> std::result::Result<Summary, Box<Divergence>> {
    let mut script = script.clone();
    script.shape = Shape {
        layers: vec![LayerShape::new(LayerKind::Own, SECTORS)],
        ..Shape::own(Geometry::new(SECTORS, SIZE as u32).unwrap())
    };
    run(&script, &mut Own::new(locked), &mut Oracle::new(&script.shape).0, &mut |_| ())
}

#[test]
fn rule_23_the_threads_of_a_disk_of_ones_own_are_judged() {
    let mut raced = 0;
    for case in 0..200 {
        raced += prove(&script(case), Locked::Request).unwrap_or_else(|d| panic!("case {case}: {d}")).histories.raced;
    }
    assert!(raced > 20, "{raced} raced");

    let found = (0..200).find_map(|case| prove(&script(case), Locked::Sector).err());
    let shrunk =
        minimize(found.expect("a write that is not whole"), &mut |script| prove(script, Locked::Sector).map(drop));
    assert!(shrunk.to_string().contains("no order of what ran at once explains"), "{shrunk}");
    assert!(shrunk.script.lines.len() <= 3, "{shrunk}");
}

/// What a search finds in such a disk.
fn find(sectors: u64, locked: Locked, threads: Threads) -> std::result::Result<Summary, Finding> {
    let bytes = || RwLock::new(vec![0; sectors as usize * SIZE]);
    search(Geometry::new(sectors, SIZE as u32).unwrap(), 1, 400, || Own { bytes: bytes(), locked, threads })
}

#[test]
fn rule_23_a_search_uses_a_disk_of_ones_own_by_several_threads() {
    for (sectors, threads) in [(SECTORS, Threads::TakeTurns), (SECTORS, Threads::RunFree), (300, Threads::TakeTurns)] {
        let passed = find(sectors, Locked::Request, threads);
        let histories = passed.unwrap_or_else(|found| panic!("{}", found.divergence)).histories;
        assert!(histories.groups > 200, "{histories:?}");
        let found = find(sectors, Locked::NotTheChange, threads).expect_err("a change that is lost").divergence;
        assert!(found.to_string().contains("no order of what ran at once explains"), "{found}");
    }
    for locked in [Locked::Sector, Locked::NotTheChange] {
        let [one, other] = [(); 2].map(|()| find(SECTORS, locked, Threads::TakeTurns).expect_err("a race"));
        assert_eq!((one.case, one.divergence.to_string()), (other.case, other.divergence.to_string()));
        assert!(one.divergence.script.lines.len() <= 4, "{}", one.divergence);
    }
}

#[test]
fn rule_23_long_requests_of_several_threads_are_judged_sector_by_sector() {
    let script = "disk 512; layer own 300; 1| write 0 200 stamp 1; 2| write 100 200 stamp 2; 3| read 0 300";
    let script: Script = script.parse().unwrap();
    let prove = |locked, threads| {
        let bytes = RwLock::new(vec![0; 300 * SIZE]);
        prove_own(&script, &mut Own { bytes, locked, threads })
    };
    prove(Locked::Request, Threads::TakeTurns).unwrap();
    let free = |locked| (0..500).find_map(|_| prove(locked, Threads::RunFree).err());
    assert!(free(Locked::Request).is_none());
    let lost = free(Locked::NotTheChange).expect("a change that is lost");
    assert!(lost.to_string().contains("no order of what ran at once explains"), "{lost}");
}
