//! `disklayer run`: a script on a disk of one's own, described as the resolver reads it.
//!
//! The oracle starts from what the layers hold then: all of it is copied into files beside before the script.

use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness;
use disklayer_sqlite::oracle::Oracle;
use disklayer_sqlite::resolver::{Description, ResolveOptions, resolve};
use disklayer_sqlite::script::{Op, OpKind, Script};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

use super::table::{counted, rounded};
use super::trace::Trace;
use super::{Verdict, quietly, scripts};

mod holdings;
mod subject;

use subject::DiskSubject;

/// Run a script's operations on a disk that is described, and on an oracle that starts from what the disk holds
///
/// THE DISK IS CHANGED BY THE SCRIPT. It is closed in the end.
///
/// Of the script only the operations are used, not its layers; its sector size must be that of the disk. Operations
/// that reopen or reshape the disk (reopen, push, discard, commit) are skipped.
#[derive(Args)]
pub(super) struct Run {
    /// The disk, such as `sqldiff:top.dbhd;create:file:base.img`
    description: Description,
    /// The script
    script: PathBuf,
    /// Bytes of a sector where no file tells
    #[arg(long, value_name = "N", default_value_t = 512)]
    sector_size: u32,
    /// Where caches lie
    #[arg(long, value_name = "DIR", env = "DISKLAYER_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
    /// Open the disk read only
    #[arg(long)]
    read_only: bool,
    /// Show each operation with its outcome
    #[arg(long)]
    trace: bool,
}

impl Run {
    pub(super) fn execute(self) -> Result<Verdict> {
        let script = scripts::load_one(&self.script)?.script;
        let disk = resolve(&self.description, &self.options())?;
        let outcome = self.run(&script, &disk);
        // Whatever came of it, what was acknowledged is to be durable.
        let closed = disk.close().map_err(|e| e.in_context("closing the disk"));
        let (verdict, text) = outcome?;
        super::print(&text)?;
        closed.map(|()| verdict)
    }

    fn options(&self) -> ResolveOptions {
        ResolveOptions {
            access: if self.read_only { DiskAccess::ReadOnly } else { DiskAccess::Writable },
            sector_size: self.sector_size,
            cache_directory: self.cache_dir.clone(),
            ..ResolveOptions::default()
        }
    }

    fn run(&self, script: &Script, disk: &LayeredDisk) -> Result<(Verdict, String)> {
        let (wanted, actual) = (script.shape.sector_size, disk.geometry().sector_size());
        if wanted != actual {
            let what = format!("the script is for sectors of {wanted} bytes, and the disk has sectors of {actual}");
            return Err(Error::new(ErrorKind::SectorSizeMismatch, what));
        }
        let script = Script { shape: holdings::shape(disk), lines: script.lines.clone() };
        let mut oracle = holdings::oracle(disk, &script.shape)?;
        Ok(self.prove(&script, disk, &mut oracle))
    }

    fn prove(&self, script: &Script, disk: &LayeredDisk, oracle: &mut Oracle) -> (Verdict, String) {
        let mut trace = Trace::default();
        let mut subject = DiskSubject(disk);
        let result = quietly(|| harness::run(script, &mut subject, oracle, &mut |step| trace.note(step)));
        let skipped = script.lines.iter().filter(|line| needs_more_than_a_disk(&line.op)).count();
        let (verdict, mut text) = match &result {
            Ok(summary) => {
                let operations = counted((script.lines.len() - skipped) as u64, "operation");
                let (refused, sectors) = (summary.exercise.refused, rounded(summary.sectors));
                (Verdict::Pass, format!("PASS  {operations} ({refused} refused), {sectors} sectors compared"))
            }
            Err(divergence) => {
                trace.note_divergence(divergence);
                (Verdict::Fail, format!("FAIL  {}", divergence.story()))
            }
        };
        if skipped > 0 {
            text +=
                &format!("\n  {} that would reopen or reshape the disk skipped", counted(skipped as u64, "operation"));
        }
        let trace = if self.trace { format!("\n{trace}") } else { String::new() };
        (verdict, format!("{text}\n{trace}"))
    }
}

fn needs_more_than_a_disk(op: &Op) -> bool {
    matches!(op.kind(), OpKind::Reopen | OpKind::Push | OpKind::Discard | OpKind::Commit)
}
