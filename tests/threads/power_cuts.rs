//! Threads and a power cut: what one thread's flush promised holds, whatever the others were doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disklayer_sqlite::drive::{Drive, Image};
use disklayer_sqlite::fault::{self, Fault};
use disklayer_sqlite::layer::{
    Below, Durability, Existing, FormatParams, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer,
};
use disklayer_sqlite::oracle::{Oracle, Request, Seen};
use disklayer_sqlite::script::{Choices, Content, Op, Script, SeedChoices, Target};
use disklayer_sqlite::strike::Lost;
use disklayer_sqlite::sync::turns;

const SIZE: usize = 512;
const SECTORS: u64 = 8;
const FORMAT: FormatParams =
    FormatParams { logically_read_only: false, len: SECTORS * SIZE as u64, sector_size: SIZE as u32 };
/// What every sector holds before.
const BEFORE: Content = Content::Stamp(9);

fn on(drive: &Drive) -> Options {
    Options { file_system: Arc::new(drive.clone()), ..Options::default() }
}

/// A request, and how many changes the drive had seen when it was called and when it returned.
struct Timed {
    request: Request,
    drive: (usize, usize),
}

/// What three threads do, and where each lets the next one go on.
fn tasks(case: u64) -> Vec<Vec<(Op, Vec<u8>)>> {
    let choices = &mut SeedChoices::new(3, case);
    let mut tasks = vec![Vec::new(); 3];
    for nth in 0..8 {
        let (target, sector) = (Target::Disk, choices.below(SECTORS - 2));
        let count = choices.between(1, 2);
        let op = match choices.below(8) {
            0..=3 => {
                let durability = if choices.percent(15) { Durability::Fua } else { Durability::Flushed };
                Op::Write { target, sector, count: count as u32, content: Content::Stamp(10 + nth), durability }
            }
            4 => Op::Unmap { sector, count },
            _ => Op::Flush { target },
        };
        let yields = (0..choices.below(3)).map(|_| choices.below(4) as u8).collect();
        tasks[choices.below(3) as usize].push((op, yields));
    }
    tasks
}

fn act(layer: &SqliteDiskLayer, op: &Op) {
    match *op {
        Op::Write { sector, count, content, durability, .. } => {
            let mut bytes = vec![0; count as usize * SIZE];
            content.render(sector, SIZE, &mut bytes);
            layer.write(sector, &bytes, durability)
        }
        Op::Unmap { sector, count } => layer.unmap(sector, count, Below::Nothing),
        _ => layer.flush(),
    }
    .unwrap();
}

/// Has the threads do it on a layer of the drive, which remembers its changes.
fn work(case: u64, drive: &Drive, fault: Option<Fault>) -> Vec<Timed> {
    let layer = SqliteDiskLayer::create(drive.path("a.dbhd"), FORMAT, Existing::Keep, &on(drive)).unwrap();
    let mut bytes = vec![0; FORMAT.len as usize];
    BEFORE.render(0, SIZE, &mut bytes);
    layer.write(0, &bytes, Durability::Fua).unwrap();
    drive.record();
    let clock = AtomicU64::new(0);
    let (layer, clock) = (&layer, &clock);
    let now = || (clock.fetch_add(1, Ordering::SeqCst), drive.recorded());
    let request = |(op, yields): (Op, Vec<u8>)| {
        turns::begin(&yields);
        let called = now();
        act(layer, &op);
        let returned = now();
        let request =
            Request { op, called: called.0, returned: returned.0, bytes: Vec::new(), poison: 0, present: None };
        Timed { request, drive: (called.1, returned.1) }
    };
    let thread = |task: Vec<(Op, Vec<u8>)>| {
        move || match fault {
            Some(fault) => fault::with(fault, || task.into_iter().map(request).collect::<Vec<_>>()),
            None => task.into_iter().map(request).collect(),
        }
    };
    let (done, _) = turns::take(tasks(case).into_iter().map(thread).collect());
    done.into_iter().flat_map(Result::unwrap).collect()
}

/// Every sector of what is left.
fn see(image: &Image) -> Vec<Seen> {
    let drive = Drive::new();
    drive.restore(image);
    let layer = SqliteDiskLayer::open(drive.path("a.dbhd"), Mode::ReadWrite, &on(&drive)).unwrap();
    let sector = |sector| {
        let mut bytes = vec![0; SIZE];
        let mut marker = SectorMarker::new(sector..sector + 1);
        layer.read(sector, &mut bytes, &mut marker).unwrap();
        Seen { sector, layers: vec![marker.is_set(sector).then_some(bytes)] }
    };
    (0..SECTORS).map(sector).collect()
}

/// Cuts the power at every moment, and losing this and that; how many cuts there were, or the first that took too much.
fn every_cut(case: u64, fault: Option<Fault>) -> Result<u64, String> {
    let drive = Drive::new();
    let done = work(case, &drive, fault);
    let script: Script = format!("disk 512; layer sqlite {SECTORS} filled 9").parse().unwrap();
    let oracle = Oracle::new(&script.shape).0;
    let mut cuts = 0;
    let record = drive.take_record();
    for moment in record.moments() {
        let called = done.iter().filter(|timed| timed.drive.0 <= moment.done);
        let requests: Vec<Request> = called
            .map(|Timed { request, drive }| {
                let returned = if drive.1 <= moment.done { request.returned } else { u64::MAX };
                Request { returned, ..request.clone() }
            })
            .collect();
        for lost in [Lost::Nothing, Lost::Everything, Lost::Some(case as u32), Lost::Some(77)] {
            cuts += 1;
            if !oracle.permits_cut(&requests, &see(&moment.cut(&lost))) {
                let requests: Vec<_> = requests.iter().map(|r| (r.called, r.returned, r.op)).collect();
                return Err(format!("case {case}, after {} writes, lost {lost:?}: {requests:?}", moment.done));
            }
        }
    }
    Ok(cuts)
}

#[test]
fn rule_15_what_a_thread_has_flushed_survives_whatever_the_others_were_doing() {
    let cuts: u64 = (0..60).map(|case| every_cut(case, None).unwrap_or_else(|d| panic!("{d}"))).sum();
    println!("{cuts} cuts");
    assert!(cuts > 1000, "{cuts} cuts");
}

#[test]
fn rule_15_a_flush_that_believes_a_flag_cleared_late_is_found() {
    let found = (0..60).find_map(|case| every_cut(case, Some(Fault::FlagClearedLate)).err());
    println!("{}", found.expect("a flush that promised nothing was not found"));
}
