//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use super::systems;
use super::workload::WORKLOADS;

/// Measures virtual disks side by side: this crate's formats, the original's layout, a raw file, qcow2.
#[derive(Parser)]
#[command(name = "disks")]
pub(crate) struct Options {
    /// Size of the disks, in bytes or with K, M or G [default: 256M; without --bench, 2M]
    #[arg(long, value_parser = bytes)]
    size: Option<u64>,
    /// Rounds, each of everything in random order [default: 5; without --bench, 1]
    #[arg(long)]
    rounds: Option<u64>,
    /// Requests of the random workloads [default: 16384; without --bench, 256]
    #[arg(long)]
    ops: Option<u64>,
    /// Only this workload (again for more)
    #[arg(long, value_name = "WORKLOAD", value_parser = PossibleValuesParser::new(WORKLOADS.iter().map(|w| w.name)))]
    only: Vec<String>,
    /// Only this system (again for more)
    #[arg(long, value_parser = PossibleValuesParser::new(systems::NAMES))]
    system: Vec<String>,
    /// Where disks are made (again for more) [default: the target directory, and /dev/shm if there is one]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Vec<PathBuf>,
    /// What the order and the places are drawn from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write every measurement to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a plot to this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the tables to this file
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Report what an earlier run has written with --json, and measure nothing
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// `cargo bench` says this. Without it, as under `cargo test`, everything runs once and small.
    #[arg(long, hide = true)]
    bench: bool,
    /// The measurement of a process that was started for it.
    #[arg(long, hide = true)]
    pub task: Option<String>,
}

impl Options {
    pub(crate) fn size(&self) -> u64 {
        self.size.unwrap_or(if self.bench { 256 << 20 } else { 2 << 20 })
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.unwrap_or(if self.bench { 5 } else { 1 })
    }

    pub(crate) fn operations(&self) -> u64 {
        self.ops.unwrap_or(if self.bench { 16384 } else { 256 })
    }

    pub(crate) fn workloads(&self) -> Vec<String> {
        let all = WORKLOADS.iter().map(|workload| workload.name);
        all.filter(|name| self.only.is_empty() || self.only.iter().any(|only| only == name))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn systems(&self) -> Vec<String> {
        let all = systems::NAMES.into_iter();
        all.filter(|name| self.system.is_empty() || self.system.iter().any(|only| only == name))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        if !self.dir.is_empty() {
            return self.dir.clone();
        }
        let memory = PathBuf::from("/dev/shm");
        std::iter::once(env!("CARGO_TARGET_TMPDIR").into())
            .chain(Some(memory).filter(|memory| memory.is_dir()))
            .collect()
    }
}

/// A size such as `256M`, of whole mebibytes.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.chars().last() {
        Some('K') => (&text[..text.len() - 1], 1 << 10),
        Some('M') => (&text[..text.len() - 1], 1 << 20),
        Some('G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let size = digits.parse::<u64>().map_err(|e| e.to_string())?.checked_mul(unit).ok_or("too large")?;
    if size == 0 || size % (1 << 20) != 0 {
        return Err("not a whole number of MiB".to_owned());
    }
    Ok(size)
}
