//! What the process has used, as Linux tells. Elsewhere only time is measured.
//!
//! `/proc/self/io` counts reads and writes and the bytes of writes, on every file system; a sync, a hole that is punched
//! and a page of a mapping that is touched are not in it.

#[cfg(target_os = "linux")]
use std::fs;
use std::time::Instant;

use super::task::Sample;

/// What the process used up to the start.
pub(crate) struct Meter {
    traffic: Option<Traffic>,
    has_peak: bool,
    start: Instant,
}

impl Meter {
    pub(crate) fn start() -> Self {
        let has_peak = forget_peak();
        Self { traffic: Traffic::now(), has_peak, start: Instant::now() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub(crate) fn sample(&self, seconds: f64, operations: u64, payload: u64) -> Sample {
        let traffic = self.traffic.zip(Traffic::now()).map(|(before, now)| now.since(before));
        Sample {
            seconds,
            operations,
            payload,
            written: traffic.map(|traffic| traffic.written),
            calls: traffic.map(|traffic| traffic.calls),
            peak: peak().filter(|_| self.has_peak),
            stored: None,
        }
    }
}

/// Reads and writes so far, and the bytes of the writes.
#[derive(Clone, Copy)]
struct Traffic {
    calls: u64,
    written: u64,
}

impl Traffic {
    #[cfg(target_os = "linux")]
    fn now() -> Option<Self> {
        let io = fs::read_to_string("/proc/self/io").ok()?;
        let field = |name| number(&io, name);
        Some(Self { calls: field("syscr:")? + field("syscw:")?, written: field("wchar:")? })
    }

    #[cfg(not(target_os = "linux"))]
    fn now() -> Option<Self> {
        None
    }

    /// What came since `before`, but for the calls of looking.
    fn since(self, before: Self) -> Self {
        let looking = Self::now().map_or(0, |again| again.calls - self.calls);
        Self { calls: (self.calls - before.calls).saturating_sub(looking), written: self.written - before.written }
    }
}

/// Forgets the peak of memory so far; `false` if that is not possible.
#[cfg(target_os = "linux")]
fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

#[cfg(not(target_os = "linux"))]
fn forget_peak() -> bool {
    false
}

/// The most bytes of memory that the process had since the peak was forgotten.
#[cfg(target_os = "linux")]
fn peak() -> Option<u64> {
    number(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:").map(|kib| kib * 1024)
}

#[cfg(not(target_os = "linux"))]
fn peak() -> Option<u64> {
    None
}

/// The number after `name`.
#[cfg(target_os = "linux")]
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
