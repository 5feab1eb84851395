//! Every fault with every seed, on every core.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::fault::Fault;
use disklayer_sqlite::harness::Ground;

use super::super::hostile::progress::Progress;
use super::super::{Verdict, gate, quietly};
use super::report::Report;
use super::trial::Trial;
use super::{Selftest, text};

/// What was found out so far.
type Trials = Mutex<Vec<(Fault, Trial)>>;

pub(super) fn run(selftest: &Selftest) -> Result<Verdict> {
    let faults = faults(&selftest.fault);
    let json = selftest.json.as_deref().map(gate::Output::create).transpose()?;
    let tasks: Vec<(Fault, u64)> =
        (1..=selftest.seeds).flat_map(|seed| faults.iter().map(move |fault| (*fault, seed))).collect();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = selftest.jobs.map_or_else(cores, usize::from);
    let grounds = (0..jobs).map(|_| Ground::new()).collect::<Result<Vec<_>>>()?;
    let (start, trials) = (Instant::now(), Trials::default());
    spread(selftest, &tasks, grounds, &trials)?;
    let trials = trials.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = Report::new(&faults, &trials, selftest, start.elapsed());
    json.map_or(Ok(()), |out| out.write(&report.json()?))?;
    super::super::print(&text::text(&report))?;
    Ok(report.verdict.into())
}

fn faults(names: &[String]) -> Vec<Fault> {
    match names {
        [] => Fault::ALL.to_vec(),
        names => names.iter().filter_map(|name| Fault::named(name)).collect(),
    }
}

/// Every ground gets a thread, which takes one task after the other.
fn spread(selftest: &Selftest, tasks: &[(Fault, u64)], grounds: Vec<Ground>, trials: &Trials) -> Result<()> {
    let (next, progress) = (AtomicUsize::new(0), Progress::new(tasks.len() as u64, "hunts"));
    let work = |mut ground: Ground| {
        while let Some(&(fault, seed)) = tasks.get(next.fetch_add(1, Relaxed)) {
            let Some(trial) = Trial::run(fault, seed, selftest, &mut ground) else { return };
            trials.lock().unwrap_or_else(PoisonError::into_inner).push((fault, trial));
            progress.did_one();
        }
    };
    std::thread::scope(|scope| {
        let (alive, watch) = std::sync::mpsc::channel::<()>();
        let mut threads = Vec::new();
        for ground in grounds {
            let (alive, work) = (alive.clone(), &work);
            let work = move || {
                let _alive = alive;
                quietly(|| work(ground));
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, work);
            threads.push(thread.map_err(|e| Error::from_io("starting a thread", e))?);
        }
        drop(alive);
        progress.show_until_all_are_gone(&watch);
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().map_err(gate::broken)).collect();
        ended.into_iter().collect()
    })
}
