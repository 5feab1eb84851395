//! The workloads, and how much faster this crate wants to be in each. Values of the ratios: speed of ours / of theirs.

use super::medium::Medium;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SequentialRead,
    SequentialWrite,
    SequentialOverwrite,
    RandomRead,
    RandomWrite,
    Mix,
    WriteFlush,
    SmallWrite,
    SparseWrite,
    LayeredRead,
    CacheFill,
    CacheHit,
    Unmap,
    UnmapOver,
    Import,
    Open,
    Format,
}

/// In what speed is said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    MebibytesPerSecond,
    OperationsPerSecond,
}

pub(crate) struct Workload {
    pub kind: Kind,
    pub name: &'static str,
    pub what: &'static str,
    pub unit: Unit,
    goals: [(&'static str, Goal); 3],
}

/// The ratios that are wanted, on a disk and on tmpfs; without one the ratio is only reported.
#[derive(Clone, Copy)]
struct Goal {
    disk: Option<f64>,
    tmpfs: Option<f64>,
}

const REPORT: Goal = Goal { disk: None, tmpfs: None };

const fn want(disk: f64, tmpfs: f64) -> Goal {
    Goal { disk: Some(disk), tmpfs: Some(tmpfs) }
}

const fn want_on_disk(disk: f64) -> Goal {
    Goal { disk: Some(disk), tmpfs: None }
}

const fn against(original: Goal, raw: Goal, qcow2: Goal) -> [(&'static str, Goal); 3] {
    [("original", original), ("raw", raw), ("qcow2", qcow2)]
}

const NONE: [(&str, Goal); 3] = against(REPORT, REPORT, REPORT);

use Kind::*;
use Unit::*;

#[rustfmt::skip]
pub(crate) const WORKLOADS: [Workload; 17] = [
    Workload { kind: SequentialRead, name: "read-1m", what: "sequential 1 MiB read, warm", unit: MebibytesPerSecond,
        goals: against(want(12.0, 12.0), want(0.9, 2.0), want(1.0, 2.0)) },
    Workload { kind: RandomRead, name: "read-4k", what: "random 4 KiB read, warm", unit: OperationsPerSecond,
        goals: against(want(8.0, 8.0), want(0.9, 1.0), want(1.0, 1.0)) },
    Workload { kind: SequentialWrite, name: "write-1m", what: "sequential 1 MiB write, fresh", unit: MebibytesPerSecond,
        goals: against(want(5.0, 4.0), want(0.4, 0.6), REPORT) },
    Workload { kind: SequentialOverwrite, name: "overwrite-1m", what: "sequential 1 MiB overwrite", unit: MebibytesPerSecond,
        goals: against(want(4.0, 4.0), want(0.3, 0.3), REPORT) },
    Workload { kind: RandomWrite, name: "write-4k", what: "random 4 KiB write", unit: OperationsPerSecond,
        goals: against(want(4.0, 6.0), want(1.0, 0.25), want(0.5, 0.3)) },
    Workload { kind: WriteFlush, name: "write-flush-4k", what: "4 KiB write + flush", unit: OperationsPerSecond,
        goals: against(want(1.5, 4.0), want_on_disk(1.2), want_on_disk(1.2)) },
    Workload { kind: SparseWrite, name: "sparse-4k", what: "4 KiB write, empty differencing layer", unit: OperationsPerSecond,
        goals: against(want(6.0, 6.0), want(0.8, 0.5), REPORT) },
    Workload { kind: Unmap, name: "unmap-1m", what: "unmap 1 MiB of a filled disk", unit: OperationsPerSecond,
        goals: against(want(50.0, 50.0), want(2.0, 2.0), REPORT) },
    Workload { kind: Import, name: "import", what: "bulk import of an image, close", unit: MebibytesPerSecond,
        goals: against(want(8.0, 8.0), want(0.5, 0.6), want(0.5, 0.6)) },
    Workload { kind: Mix, name: "mix-4k", what: "70/30 random 4 KiB read/write", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: SmallWrite, name: "write-512", what: "random 512 B write", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: UnmapOver, name: "unmap-over-1m", what: "unmap 1 MiB over a lower layer", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: LayeredRead, name: "layers-4k", what: "random 4 KiB read, three layers", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: CacheFill, name: "cache-fill-4k", what: "4 KiB read, cold cache", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: CacheHit, name: "cache-hit-4k", what: "4 KiB read, hot cache", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: Open, name: "open", what: "open, read, close", unit: OperationsPerSecond, goals: NONE },
    Workload { kind: Format, name: "format", what: "format, close", unit: OperationsPerSecond, goals: NONE },
];

impl Workload {
    /// The ratio that is wanted against `system`.
    pub(crate) fn goal(&self, system: &str, medium: Medium) -> Option<f64> {
        let (_, goal) = self.goals.iter().find(|(name, _)| *name == system)?;
        match medium {
            Medium::Disk => goal.disk,
            Medium::Tmpfs => goal.tmpfs,
        }
    }
}

/// The workload called `name`.
pub(crate) fn by_name(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}
