//! Takes one measurement, in the process that was started for it.
//!
//! The time of a workload that writes ends with a flush. What the flush has put into a log is carried over when the disk
//! is closed: outside the time, but those writes are counted. Afterwards the disk is opened again, and a part of what
//! was written is checked.

use std::collections::HashSet;
use std::fs::File;
use std::hint::black_box;

use super::disk::{Disk, Layering, Result, System};
use super::meter::Meter;
use super::place::{self, Place};
use super::plan::{MIB, Plan, Start, Step, WRITTEN, plan};
use super::task::{Outcome, Sample, Task};
use super::workload::{self, Kind};
use super::{stamp, systems};

/// How many of the last changes are looked at again.
const LOOKED_AT: usize = 64;
/// Openings and formats for each so many operations.
const OPERATIONS_PER_OPENING: u64 = 512;

/// Whether what was read is looked at.
#[derive(Clone, Copy)]
enum Reads {
    Checked,
    Trusted,
}

pub(crate) fn measure(task: &Task) -> Result<Outcome> {
    let kind = workload::by_name(&task.workload).ok_or("no such workload")?.kind;
    let subject = Subject {
        system: &*systems::by_name(&task.system),
        name: &task.system,
        place: Place::new(&task.root, task.size),
    };
    let openings = (task.operations / OPERATIONS_PER_OPENING).clamp(2, 64);
    match (plan(kind, task.size, task.operations, task.seed), kind) {
        (Some(plan), _) => subject.steps(&plan),
        (None, Kind::Open) => subject.open(openings).map(Some),
        (None, Kind::Format) => subject.format(openings).map(Some),
        (None, _) => subject.import().map(Some),
    }
}

struct Subject<'a> {
    system: &'a dyn System,
    name: &'a str,
    place: Place,
}

impl Subject<'_> {
    fn steps(&self, plan: &Plan) -> Result<Outcome> {
        let Some(mut disk) = self.start(plan)? else { return Ok(None) };
        let longest = plan.steps.iter().map(|step| step.len()).max().unwrap_or(0);
        let mut buf = stamp::buffer(longest as usize);
        if plan.start == Start::HotCache {
            // Opened again, so that closing it does not have to carry over what filling has put into a log.
            take(&mut *disk, &plan.steps, &mut buf, Reads::Trusted)?;
            disk.close()?;
            disk =
                self.system.open_cache(&self.place.root().join("fresh/disk"), &self.place.image(), self.place.size)?;
            take(&mut *disk, &plan.steps, &mut buf, Reads::Trusted)?;
        }
        let meter = Meter::start();
        take(&mut *disk, &plan.steps, &mut buf, Reads::Checked)?;
        let seconds = meter.seconds();
        disk.close()?;
        let payload = plan.steps.iter().map(|step| step.len()).sum();
        let mut sample = meter.sample(seconds, plan.operations, payload);
        sample.stored = self.stored(plan)?;
        self.look_again(plan, &mut buf)?;
        Ok(Some(sample))
    }

    fn start(&self, plan: &Plan) -> Result<Option<Box<dyn Disk>>> {
        let (system, size) = (self.system, self.place.size);
        let (filled, fresh) = (self.place.filled(self.name), self.place.fresh()?);
        match (plan.start, system.layering()) {
            (Start::Empty, _) | (Start::Differencing, Layering::Flat) => system.create(&fresh, size).map(Some),
            (Start::FilledAndWarm, _) => warm(system.open(&filled, size)?, size).map(Some),
            (Start::Filled, _) | (Start::Covering, Layering::Flat) => {
                place::copy(&filled, &fresh)?;
                system.open(&fresh, size).map(Some)
            }
            (Start::Differencing | Start::Covering, Layering::Layers) => {
                system.create_over(&fresh, &[filled], size).map(Some)
            }
            (Start::ThreeLayers, layering) => {
                let layers = self.place.layers(self.name);
                let disk = match layering {
                    Layering::Layers => system.open_over(&layers[0], &layers[1..], size)?,
                    Layering::Flat => system.open(&layers[0], size)?,
                };
                warm(disk, size).map(Some)
            }
            (Start::ColdCache | Start::HotCache, _) => system.create_cache(&fresh, &self.place.image(), size),
        }
    }

    /// The disk that was measured, opened again, if it was changed.
    fn reopen(&self, plan: &Plan) -> Result<Option<Box<dyn Disk>>> {
        let (system, size, fresh) = (self.system, self.place.size, self.place.root().join("fresh/disk"));
        match (plan.start, system.layering()) {
            (Start::FilledAndWarm | Start::ThreeLayers | Start::ColdCache | Start::HotCache, _) => Ok(None),
            (Start::Differencing | Start::Covering, Layering::Layers) => {
                system.open_over(&fresh, &[self.place.filled(self.name)], size).map(Some)
            }
            _ => system.open(&fresh, size).map(Some),
        }
    }

    /// Checks the last changes on the disk that was closed.
    fn look_again(&self, plan: &Plan, buf: &mut [u8]) -> Result<()> {
        let Some(mut disk) = self.reopen(plan)? else { return Ok(()) };
        for step in plan.steps.iter().rev().take(LOOKED_AT) {
            let buf = &mut buf[..step.len() as usize];
            match *step {
                Step::Write { at, .. } => {
                    disk.read(at, buf)?;
                    stamp::check(buf, at, WRITTEN)?;
                }
                Step::Unmap { at, .. } => {
                    disk.read(at, buf)?;
                    stamp::check_zeros(buf, at)?;
                }
                Step::Read { .. } | Step::Flush => {}
            }
        }
        disk.close()
    }

    /// Bytes on the medium and bytes of data, where the measurement has made or changed files of its own.
    fn stored(&self, plan: &Plan) -> Result<Option<(u64, u64)>> {
        let data = match plan.start {
            Start::FilledAndWarm | Start::ThreeLayers | Start::Covering => 0,
            Start::Filled if plan.steps.iter().any(|step| matches!(step, Step::Unmap { .. })) => 0,
            Start::Filled => self.place.size,
            Start::Empty | Start::Differencing | Start::ColdCache | Start::HotCache => distinct(&plan.steps),
        };
        let stored = self.place.stored()?;
        Ok((data > 0 && stored > 0).then_some((stored, data)))
    }

    fn open(&self, count: u64) -> Result<Sample> {
        let filled = self.place.filled(self.name);
        let mut buf = stamp::buffer(4096);
        let meter = Meter::start();
        for _ in 0..count {
            let mut disk = self.system.open(&filled, self.place.size)?;
            disk.read(0, &mut buf)?;
            stamp::check(&buf, 0, 0)?;
            disk.close()?;
        }
        Ok(meter.sample(meter.seconds(), count, 0))
    }

    fn format(&self, count: u64) -> Result<Sample> {
        let first = self.place.fresh()?;
        let meter = Meter::start();
        for nth in 0..count {
            self.system.create(&first.with_file_name(format!("disk-{nth}")), self.place.size)?.close()?;
        }
        Ok(meter.sample(meter.seconds(), count, 0))
    }

    fn import(&self) -> Result<Sample> {
        let (fresh, size) = (self.place.fresh()?, self.place.size);
        let mut source = File::open(self.place.image())?;
        let mut buf = stamp::buffer(MIB as usize);
        let meter = Meter::start();
        let mut disk = self.system.create(&fresh, size)?;
        disk.import(&mut source)?;
        disk.flush()?;
        disk.close()?;
        let mut sample = meter.sample(meter.seconds(), 1, size);
        sample.stored = Some((self.place.stored()?, size));
        let mut disk = self.system.open(&fresh, size)?;
        for at in [0, size - MIB] {
            disk.read(at, &mut buf)?;
            stamp::check(&buf, at, 0)?;
        }
        disk.close()?;
        Ok(sample)
    }
}

fn take(disk: &mut dyn Disk, steps: &[Step], buf: &mut [u8], reads: Reads) -> Result<()> {
    for step in steps {
        let buf = &mut buf[..step.len() as usize];
        match *step {
            Step::Read { at, version, .. } => {
                disk.read(at, buf)?;
                match reads {
                    Reads::Checked => stamp::check(buf, at, version)?,
                    Reads::Trusted => {}
                }
            }
            Step::Write { at, .. } => {
                stamp::stamp(buf, at, WRITTEN);
                disk.write(at, buf)?;
            }
            Step::Unmap { at, len } => disk.unmap(at, len)?,
            Step::Flush => disk.flush()?,
        }
    }
    Ok(())
}

/// Reads the whole disk once.
fn warm(mut disk: Box<dyn Disk>, size: u64) -> Result<Box<dyn Disk>> {
    let mut buf = stamp::buffer(MIB as usize);
    for at in (0..size).step_by(MIB as usize) {
        disk.read(at, &mut buf)?;
    }
    black_box(&buf);
    Ok(disk)
}

/// Bytes of the disk that the steps touch.
fn distinct(steps: &[Step]) -> u64 {
    let mut places = HashSet::new();
    let place = |step: &Step| match *step {
        Step::Read { at, len, .. } | Step::Write { at, len } => Some((at, len)),
        Step::Unmap { .. } | Step::Flush => None,
    };
    steps.iter().filter_map(place).filter(|place| places.insert(*place)).map(|(_, len)| len).sum()
}
