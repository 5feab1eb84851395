//! Disks of other people's: what they declare is what they are judged by, wherever they live.

use std::collections::HashMap;
use std::future::Future;
use std::io::{Read, Write};
use std::ops::Range;
use std::pin::pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::task::{Context, Poll, Waker};

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::harness::{Abilities, Subject, search};
use disklayer_sqlite::layer::UnmapBehavior;
use disklayer_sqlite::request::Durability;
use disklayer_sqlite::script::Reopen;

const SECTOR: usize = 512;
const COUNT: u64 = 40;

/// What this disk does with an unmapped sector, and what it says that it does.
#[derive(Clone, Copy)]
struct Manner {
    declares: UnmapBehavior,
    does: Does,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Zero,
    Nothing,
    /// Zeros even sectors only.
    Half,
    /// Reads as something else each time.
    Flicker,
    Garbage,
}

struct Plain {
    manner: Manner,
    sectors: HashMap<u64, Vec<u8>>,
    reads: u8,
    loose: Vec<u64>,
}

impl Plain {
    fn new(manner: Manner) -> Self {
        Self { manner, sectors: HashMap::new(), reads: 0, loose: Vec::new() }
    }
}

fn geometry() -> Geometry {
    Geometry::new(COUNT, SECTOR as u32).unwrap()
}

impl Subject for Plain {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.reads = self.reads.wrapping_add(1);
        for at in geometry().check_buffer(sector, buf.len())? {
            let part = &mut buf[(at - sector) as usize * SECTOR..][..SECTOR];
            match self.sectors.get(&at) {
                Some(data) if self.reads % 2 == 1 || !self.loose.contains(&at) => part.copy_from_slice(data),
                _ => part.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, data: &[u8], _: Durability) -> Result<()> {
        for at in geometry().check_buffer(sector, data.len())? {
            self.loose.retain(|loose| *loose != at);
            self.sectors.insert(at, data[(at - sector) as usize * SECTOR..][..SECTOR].to_vec());
        }
        Ok(())
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        for at in geometry().check_range(sector, count)? {
            match self.manner.does {
                Does::Zero => drop(self.sectors.remove(&at)),
                Does::Half if at % 2 == 0 => drop(self.sectors.remove(&at)),
                Does::Nothing | Does::Half => {}
                Does::Flicker => self.loose.push(at),
                Does::Garbage => drop(self.sectors.insert(at, vec![0xee; SECTOR])),
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn unmap_behavior(&self) -> UnmapBehavior {
        self.manner.declares
    }
}

fn passes(declares: UnmapBehavior, does: Does) -> bool {
    search(geometry(), 1, 300, || Plain::new(Manner { declares, does })).is_ok()
}

#[test]
fn a_disk_is_judged_by_the_unmap_that_it_declares() {
    use UnmapBehavior::{Ignored, Unspecified, Zeroes};
    let may = [(Zeroes, Does::Zero), (Ignored, Does::Nothing), (Unspecified, Does::Zero)];
    let may = may.into_iter().chain([(Unspecified, Does::Nothing), (Unspecified, Does::Half)]);
    may.for_each(|(declares, does)| assert!(passes(declares, does), "{declares:?} as {}", does as u8));
    let may_not = [(Zeroes, Does::Nothing), (Zeroes, Does::Half), (Ignored, Does::Zero), (Ignored, Does::Garbage)];
    let may_not = may_not.into_iter().chain([(Unspecified, Does::Flicker), (Unspecified, Does::Garbage)]);
    may_not.for_each(|(declares, does)| assert!(!passes(declares, does), "{declares:?} as {}", does as u8));
}

/// What a disk does when it is reopened.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reopens {
    AsAsked,
    Writable,
    /// It stays read-only.
    ReadOnlyForGood,
    /// It loses what was not flushed.
    LosesSome,
    /// It knows of no other place.
    NotElsewhere,
}

struct Reopened {
    plain: Plain,
    reopens: Reopens,
    read_only: bool,
    /// As it was flushed.
    flushed: HashMap<u64, Vec<u8>>,
}

impl Reopened {
    fn new(reopens: Reopens) -> Self {
        let plain = Plain::new(Manner { declares: UnmapBehavior::Zeroes, does: Does::Zero });
        Self { plain, reopens, read_only: false, flushed: HashMap::new() }
    }

    fn writable(&self, range: Range<u64>) -> Result<()> {
        match self.read_only && !range.is_empty() {
            true => Err(Error::new(ErrorKind::ReadOnly, "it was opened read-only")),
            false => Ok(()),
        }
    }
}

impl Subject for Reopened {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.plain.read(sector, buf)
    }
    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        self.writable(geometry().check_buffer(sector, data.len())?)?;
        self.plain.write(sector, data, durability)
    }
    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        self.writable(geometry().check_range(sector, count)?)?;
        self.plain.unmap(sector, count)
    }
    fn flush(&mut self) -> Result<()> {
        self.flushed = self.plain.sectors.clone();
        Ok(())
    }
    fn abilities(&self) -> Abilities {
        Abilities { reopen: true, ..Abilities::default() }
    }
    fn reopen(&mut self, how: Reopen) -> Result<()> {
        self.read_only = match self.reopens {
            Reopens::Writable => false,
            Reopens::ReadOnlyForGood => self.read_only || how == Reopen::ReadOnly,
            _ => how == Reopen::ReadOnly,
        };
        match self.reopens {
            Reopens::LosesSome => self.plain.sectors = self.flushed.clone(),
            Reopens::NotElsewhere if how == Reopen::Elsewhere => {
                return Err(Error::new(ErrorKind::Unsupported, "where?"));
            }
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn a_disk_that_can_be_reopened_is_reopened_in_every_way() {
    search(geometry(), 4, 300, || Reopened::new(Reopens::AsAsked)).unwrap();
    for wrong in [Reopens::Writable, Reopens::ReadOnlyForGood, Reopens::LosesSome, Reopens::NotElsewhere] {
        assert!(search(geometry(), 4, 300, || Reopened::new(wrong)).is_err(), "{wrong:?}");
    }
}

/// An asynchronous disk, driven by whatever its owner uses; here by polling.
struct Asynchronous(Plain);

async fn a_moment() {
    let mut polled = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut polled, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await;
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

impl Subject for Asynchronous {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        block_on(async {
            a_moment().await;
            self.0.read(sector, buf)
        })
    }
    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        block_on(async {
            a_moment().await;
            self.0.write(sector, data, durability)
        })
    }
    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        self.0.unmap(sector, count)
    }
    fn flush(&mut self) -> Result<()> {
        block_on(a_moment());
        Ok(())
    }
}

#[test]
fn a_subject_may_be_asynchronous() {
    let manner = Manner { declares: UnmapBehavior::Zeroes, does: Does::Zero };
    search(geometry(), 2, 200, || Asynchronous(Plain::new(manner))).unwrap();
    let manner = Manner { does: Does::Half, ..manner };
    search(geometry(), 2, 200, || Asynchronous(Plain::new(manner))).expect_err("half an unmap is a bug");
}

/// The disk is the memory of another process: `cat` gives back, in order, whatever is sent to it. One sector goes
/// round for each request, and the first request that loses a byte diverges.
struct Remote {
    plain: Plain,
    to: ChildStdin,
    from: ChildStdout,
    child: Child,
    /// Bytes that are lost on the way back.
    loses: usize,
}

impl Remote {
    fn start(loses: usize) -> Self {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let plain = Plain::new(Manner { declares: UnmapBehavior::Zeroes, does: Does::Zero });
        Self { plain, to, from, child, loses }
    }

    fn round_trip(&mut self, data: &mut [u8]) -> Result<()> {
        for part in data.chunks_mut(SECTOR) {
            let failed = |e| Error::from_io("talking to the other process", e);
            self.to.write_all(part).and_then(|()| self.to.flush()).map_err(failed)?;
            self.from.read_exact(part).map_err(failed)?;
            let kept = part.len().saturating_sub(self.loses);
            part[kept..].fill(0x11);
        }
        Ok(())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Subject for Remote {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.plain.read(sector, buf)?;
        self.round_trip(buf)
    }
    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        if !data.len().is_multiple_of(SECTOR) {
            return Err(Error::new(ErrorKind::Misaligned, "not whole sectors"));
        }
        self.plain.write(sector, data, durability)
    }
    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        self.plain.unmap(sector, count)
    }
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
#[test]
fn a_subject_may_live_in_another_process() {
    search(geometry(), 3, 40, || Remote::start(0)).unwrap();
    search(geometry(), 3, 40, || Remote::start(1)).expect_err("a byte is lost on the way");
}
