//! A disk that is a log: each request is a record at its end, and those that are whole count.

use std::collections::HashMap;

use disklayer_sqlite::drive::{Drive, Struck};
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{Powered, Subject};
use disklayer_sqlite::layer::{FileSystem, Found, RawFile};
use disklayer_sqlite::request::Durability;
use disklayer_sqlite::strike::{Keeps, Lost, Strike};

use super::{SECTOR, found, geometry, open, passes};

struct Log {
    drive: Drive,
    file: Box<dyn RawFile>,
    end: u64,
    sectors: HashMap<u64, Vec<u8>>,
    wrong: Option<Sloppy>,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sloppy {
    /// A torn record is taken for whole.
    HasNoSums,
    /// A record counts whatever is before it.
    SkipsWhatIsTorn,
    /// Of a long request each sector is a record.
    WritesSectorsOneByOne,
    /// What follows a record that failed is written behind its torn half.
    GoesOnAfterAFailure,
}

const HEAD: usize = 512;

/// As good as any for a test: FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

impl Log {
    fn new(wrong: Option<Sloppy>) -> Self {
        let drive = Drive::new();
        drive.create_new(&drive.path("disk")).unwrap();
        let file = open(&drive).unwrap();
        file.sync().unwrap();
        Self { drive, file, end: 0, sectors: HashMap::new(), wrong, failed: false }
    }

    fn append(&mut self, sector: u64, data: &[u8]) -> Result<()> {
        self.check()?;
        let mut record = vec![0; HEAD];
        record[..8].copy_from_slice(&(sector + 1).to_le_bytes());
        record[8..16].copy_from_slice(&(data.len() as u64).to_le_bytes());
        record[16..24].copy_from_slice(&(sum(data) ^ self.end).to_le_bytes());
        record.extend_from_slice(data);
        let written = self.file.write_all_at(&record, self.end).map_err(|e| Error::from_io("writing the log", e));
        if written.is_err() && self.wrong != Some(Sloppy::GoesOnAfterAFailure) {
            self.failed = true;
        }
        self.end += record.len() as u64;
        written.map(|()| self.put(sector, data))
    }

    fn put(&mut self, sector: u64, data: &[u8]) {
        (sector..).zip(data.chunks(SECTOR)).for_each(|(at, data)| drop(self.sectors.insert(at, data.to_vec())));
    }

    fn check(&self) -> Result<()> {
        match self.failed {
            true => Err(Error::new(ErrorKind::Failed, "the log has failed")),
            false => Ok(()),
        }
    }

    /// Takes the records up to the first that is not whole.
    fn replay(&mut self) -> Result<()> {
        let failed = |e| Error::from_io("reading the log", e);
        let len = match self.drive.look(&self.drive.path("disk")).map_err(failed)? {
            Found::File(len) => len as usize,
            _ => 0,
        };
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        let (mut at, mut end) = (0, 0);
        while let Some((head, rest)) = bytes[at..].split_at_checked(HEAD) {
            let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
            let whole = rest.get(..word(8) as usize).filter(|data| {
                !data.is_empty() && (sum(data) ^ at as u64 == word(16) || self.wrong == Some(Sloppy::HasNoSums))
            });
            match whole {
                Some(data) if word(0) > 0 => {
                    (0..).zip(data.chunks(SECTOR)).for_each(|(nth, data)| {
                        self.sectors.insert(word(0) - 1 + nth, data.to_vec());
                    });
                    at += HEAD + data.len();
                    end = at;
                }
                _ if self.wrong == Some(Sloppy::SkipsWhatIsTorn) => at += HEAD,
                _ => break,
            }
        }
        // What is left of a record must not stand behind the next one.
        self.end = end as u64;
        self.file.set_len(self.end).map_err(failed)
    }
}

impl Subject for Log {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        let range = geometry().check_buffer(sector, buf.len())?;
        self.check()?;
        for (at, buf) in range.zip(buf.chunks_exact_mut(SECTOR)) {
            buf.fill(0);
            self.sectors.get(&at).into_iter().for_each(|data| buf.copy_from_slice(data));
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        let range = geometry().check_buffer(sector, data.len())?;
        match self.wrong {
            _ if range.is_empty() => return Ok(()),
            Some(Sloppy::WritesSectorsOneByOne) => {
                range.zip(data.chunks(SECTOR)).try_for_each(|(at, data)| self.append(at, data))?;
            }
            _ => self.append(sector, data)?,
        }
        if durability == Durability::Fua { self.flush() } else { Ok(()) }
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        let range = geometry().check_range(sector, count)?;
        self.write(range.start, &vec![0; (range.end - range.start) as usize * SECTOR], Durability::Flushed)
    }

    fn flush(&mut self) -> Result<()> {
        self.check()?;
        let synced = self.file.sync().map_err(|e| Error::from_io("syncing the log", e));
        self.failed |= synced.is_err();
        synced
    }

    fn powered(&mut self) -> Option<&mut dyn Powered> {
        Some(self)
    }
}

impl Powered for Log {
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
        (self.failed, self.sectors) = (false, HashMap::new());
        self.file = open(&self.drive)?;
        self.replay()?;
        let mut all = vec![0; self.end as usize];
        let failed = |e| Error::from_io("writing the log again", e);
        self.file.read_exact_at(&mut all, 0).map_err(failed)?;
        self.file.write_all_at(&all, 0).map_err(failed)?;
        self.flush()
    }

    fn keeps(&self) -> Keeps {
        Keeps::Prefix
    }
}

#[test]
fn a_log_keeps_a_prefix() {
    let summary = passes(geometry(), || Log::new(None));
    assert!(summary.states.counts().any(|(states, _)| states > 4), "no choice: {summary:?}");
    use Sloppy::{GoesOnAfterAFailure, HasNoSums, SkipsWhatIsTorn, WritesSectorsOneByOne};
    for wrong in [HasNoSums, SkipsWhatIsTorn, WritesSectorsOneByOne, GoesOnAfterAFailure] {
        found(wrong, 5, || Log::new(Some(wrong)));
    }
}
