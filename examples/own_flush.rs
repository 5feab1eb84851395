//! Somebody's own disk, whose power is cut: `cargo run --example own_flush`.
//!
//! The disk keeps its sectors in a file. Here that is a file of a simulated drive, which can lose what was never synced,
//! and fail. The bug: a sync that failed is told, and the next one believed, though what the first should have written is
//! lost (LWN 752063 tells how a database lost data that way).

use std::process::ExitCode;

use disklayer_sqlite::drive::{Drive, Struck};
use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::harness::{Powered, Subject, search};
use disklayer_sqlite::layer::{FileSystem, RawFile, Wanted};
use disklayer_sqlite::request::Durability;
use disklayer_sqlite::strike::{Lost, Strike};

const SECTOR: u64 = 512;
const SECTORS: u64 = 100;

struct FileDisk {
    geometry: Geometry,
    drive: Drive,
    file: Box<dyn RawFile>,
}

impl FileDisk {
    fn create(geometry: Geometry) -> Result<Self> {
        let drive = Drive::new();
        let failed = |e| Error::from_io("making the disk", e);
        drive.create_new(&drive.path("disk")).map_err(failed)?;
        let file = open(&drive)?;
        file.set_len(SECTORS * SECTOR).and_then(|()| file.sync()).map_err(failed)?;
        Ok(Self { geometry, drive, file })
    }
}

fn open(drive: &Drive) -> Result<Box<dyn RawFile>> {
    let opened = drive.open(&drive.path("disk"), Wanted::Writing);
    opened.map(|(file, _)| file).map_err(|e| Error::from_io("opening the disk", e))
}

impl Subject for FileDisk {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.geometry.check_buffer(sector, buf.len())?;
        self.file.read_exact_at(buf, sector * SECTOR).map_err(|e| Error::from_io("reading", e))
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        if self.geometry.check_buffer(sector, data.len())?.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(data, sector * SECTOR).map_err(|e| Error::from_io("writing", e))?;
        if durability == Durability::Fua { self.flush() } else { Ok(()) }
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        let range = self.geometry.check_range(sector, count)?;
        self.write(range.start, &vec![0; ((range.end - range.start) * SECTOR) as usize], Durability::Flushed)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.sync().map_err(|e| Error::from_io("syncing", e))
    }

    fn powered(&mut self) -> Option<&mut dyn Powered> {
        Some(self)
    }
}

impl Powered for FileDisk {
    fn arm(&mut self, strike: &Strike) {
        self.drive.arm(strike);
    }

    fn disarm(&mut self) -> Struck {
        self.drive.disarm()
    }

    fn cut(&mut self, lost: &Lost) {
        self.drive.cut();
        self.drive.power_on(lost);
    }

    fn restart(&mut self) -> Result<()> {
        self.file = open(&self.drive)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    let geometry = Geometry::new(SECTORS, SECTOR as u32).expect("a possible disk");
    match search(geometry, 1, 10_000, || FileDisk::create(geometry).expect("a new disk")) {
        Ok(summary) => println!("PASS  {} sectors compared", summary.sectors),
        Err(finding) => println!("FAIL  in script {}, shrunk to:\n\n{}", finding.case, finding.divergence),
    }
    ExitCode::SUCCESS
}
