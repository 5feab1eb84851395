//! A disk in one file of a simulated drive, written where it belongs.

use disklayer_sqlite::drive::{Drive, Struck};
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{Powered, Subject, prove_own};
use disklayer_sqlite::layer::{FileSystem, RawFile, UnmapBehavior};
use disklayer_sqlite::request::Durability;
use disklayer_sqlite::strike::{Lost, Strike};

use super::{COUNT, SECTOR, found, geometry, open, passes};

struct InPlace {
    drive: Drive,
    file: Box<dyn RawFile>,
    wrong: Option<Hasty>,
    unmap: UnmapBehavior,
    /// It no longer holds what it has acknowledged.
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hasty {
    NeverSyncs,
    SyncsNoFua,
    /// A sync that fails is told, and the next one believed.
    GoesOnAfterAFailedSync,
    /// A failure of the drive is not told.
    SwallowsFailures,
    /// A sync that fails is not told, and from then on everything is refused.
    TellsTooLate,
}

impl InPlace {
    fn new(wrong: Option<Hasty>, unmap: UnmapBehavior) -> Self {
        let drive = Drive::new();
        drive.create_new(&drive.path("disk")).unwrap();
        let file = open(&drive).unwrap();
        file.set_len(COUNT * SECTOR as u64).unwrap();
        file.sync().unwrap();
        Self { drive, file, wrong, unmap, failed: false }
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.file.sync().map_err(|e| Error::from_io("syncing the disk", e));
        self.failed |= synced.is_err() && self.wrong != Some(Hasty::GoesOnAfterAFailedSync);
        if self.wrong == Some(Hasty::TellsTooLate) { Ok(()) } else { synced }
    }

    fn check(&self) -> Result<()> {
        match self.failed {
            true => Err(Error::new(ErrorKind::Failed, "a sync has failed")),
            false => Ok(()),
        }
    }
}

impl Subject for InPlace {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        geometry().check_buffer(sector, buf.len())?;
        self.check()?;
        let mut read = || self.file.read_exact_at(buf, sector * SECTOR as u64);
        let read = read().or_else(|_| read());
        read.map_err(|e| Error::from_io("reading the disk", e))
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        if geometry().check_buffer(sector, data.len())?.is_empty() {
            return Ok(());
        }
        self.check()?;
        match self.file.write_all_at(data, sector * SECTOR as u64) {
            Err(_) if self.wrong == Some(Hasty::TellsTooLate) => {
                self.failed = true;
                return Ok(());
            }
            Err(e) if self.wrong != Some(Hasty::SwallowsFailures) => return Err(Error::from_io("writing the disk", e)),
            _ => {}
        }
        match (durability, self.wrong) {
            (Durability::Fua, wrong) if !matches!(wrong, Some(Hasty::NeverSyncs | Hasty::SyncsNoFua)) => self.sync(),
            _ => Ok(()),
        }
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        let mut range = geometry().check_range(sector, count)?;
        if self.unmap == UnmapBehavior::Unspecified {
            range.end = range.start + count / 2;
        }
        self.write(range.start, &vec![0; (range.end - range.start) as usize * SECTOR], Durability::Flushed)
    }

    fn unmap_behavior(&self) -> UnmapBehavior {
        self.unmap
    }

    fn flush(&mut self) -> Result<()> {
        self.check()?;
        if self.wrong == Some(Hasty::NeverSyncs) { Ok(()) } else { self.sync() }
    }

    fn powered(&mut self) -> Option<&mut dyn Powered> {
        Some(self)
    }
}

impl Powered for InPlace {
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
        // What is there may have been left by a sync that failed, and the next one says nothing of it.
        let mut all = vec![0; COUNT as usize * SECTOR];
        let failed = |e| Error::from_io("writing the disk again", e);
        self.file.read_exact_at(&mut all, 0).map_err(failed)?;
        self.file.write_all_at(&all, 0).map_err(failed)?;
        self.failed = false;
        self.sync()
    }
}

#[test]
fn a_disk_on_a_simulated_drive_is_struck_within_its_operations() {
    use Hasty::{GoesOnAfterAFailedSync, NeverSyncs, SwallowsFailures, SyncsNoFua, TellsTooLate};
    for unmap in [UnmapBehavior::Zeroes, UnmapBehavior::Unspecified] {
        let summary = passes(geometry(), || InPlace::new(None, unmap));
        assert!(summary.states.counts().any(|(states, _)| states > 4), "no choice: {summary:?}");
        for wrong in [NeverSyncs, SyncsNoFua, GoesOnAfterAFailedSync, SwallowsFailures, TellsTooLate] {
            let told = found(wrong, 5, || InPlace::new(Some(wrong), unmap)).divergence.to_string();
            assert!(told.contains("the wrong bytes are"), "{told}");
        }
    }
}

/// A search comes upon these in other ways, too.
#[test]
fn what_was_said_to_be_done_is_judged_though_a_call_has_failed() {
    let prove = |script: &str, wrong, unmap| {
        let script = format!("disk 512; layer own 40; {script}").parse().unwrap();
        prove_own(&script, &mut InPlace::new(wrong, unmap))
    };
    let read_again = "write 0 8 stamp 1; unmap 0 8; read 0 8 ! fail call 1 with error";
    prove(read_again, None, UnmapBehavior::Unspecified).unwrap();
    let too_late = "write 0 1 stamp 1 fua ! fail call 1 with error; read 0 1";
    prove(too_late, None, UnmapBehavior::Zeroes).unwrap();
    prove(too_late, Some(Hasty::TellsTooLate), UnmapBehavior::Zeroes).expect_err("a promise that was not kept");
}
