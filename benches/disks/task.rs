//! One measurement, and the process of its own that takes it: so the peak of memory is its own, and no system leaves
//! anything behind for the next.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::disk::Result;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub system: String,
    pub workload: String,
    pub root: PathBuf,
    pub size: u64,
    pub operations: u64,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub seconds: f64,
    pub operations: u64,
    /// Bytes that were read, written or unmapped.
    pub payload: u64,
    /// Bytes that went out through writes, closing included.
    pub written: Option<u64>,
    /// Reads and writes, closing included.
    pub calls: Option<u64>,
    /// The most memory of the whole process.
    pub peak: Option<u64>,
    /// Bytes that the disk's own files take afterwards, and bytes of data in them.
    pub stored: Option<(u64, u64)>,
}

/// A sample, or that the system cannot do this.
pub(crate) type Outcome = Option<Sample>;

impl Task {
    /// Has another process measure it.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let task = serde_json::to_string(self)?;
        let child = Command::new(std::env::current_exe()?).args(["--task", &task]).stderr(Stdio::inherit()).output()?;
        if !child.status.success() {
            return Err(format!("{} {}: {}", self.system, self.workload, child.status).into());
        }
        Ok(serde_json::from_slice(&child.stdout)?)
    }
}
