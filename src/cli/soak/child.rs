//! A process that is watched until its end.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::harness::Death;

use crate::cli::interrupt;

const TICK: Duration = Duration::from_millis(100);

/// What a process said, and how it ended.
pub(super) struct Watched {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) end: End,
}

pub(super) enum End {
    /// As a command ends.
    Code,
    /// Otherwise; how, in words.
    Died(Death, String),
}

/// What becomes of a process at Ctrl-C.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// Its stdin is closed, at which it comes to its own end.
    Ask,
    /// It does not listen.
    Kill,
}

/// Runs `command`. Who does not get on, so that `beat` stays the same for longer than `limit`, is killed. At Ctrl-C it is
/// asked to come to its end.
pub(super) fn watch(command: Command, beat: &dyn Fn() -> u64, limit: Duration) -> Result<Watched> {
    watch_or(command, beat, limit, Otherwise::Ask)
}

/// The same, with somebody who may not listen.
pub(super) fn watch_or(
    mut command: Command,
    beat: &dyn Fn() -> u64,
    limit: Duration,
    otherwise: Otherwise,
) -> Result<Watched> {
    let failed = |e| Error::from_io("running a process", e);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let (alive, watch) = channel::<()>();
        let out = scope.spawn(move || {
            let _alive = alive;
            read(stdout)
        });
        let err = scope.spawn(|| read(stderr));
        let (mut last, mut since, mut hung) = (beat(), Instant::now(), None);
        while watch.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if interrupt::requested() {
                stdin = None;
                if otherwise == Otherwise::Kill {
                    child.kill().map_err(failed)?;
                }
            }
            let now = beat();
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > limit && hung.is_none() {
                hung = Some(format!("nothing happened for {limit:.0?}, and it was killed"));
                child.kill().map_err(failed)?;
            }
        }
        let status = child.wait().map_err(failed)?;
        drop(stdin);
        let end = match hung {
            Some(how) => End::Died(Death::Hung, how),
            None => ended(status),
        };
        Ok(Watched { out: out.join().unwrap_or_default(), err: err.join().unwrap_or_default(), end })
    })
}

/// The codes are those of the command itself; all others are the end of something else.
fn ended(status: ExitStatus) -> End {
    match status.code() {
        Some(0 | 1 | 2 | 130) => End::Code,
        _ => End::Died(Death::Crashed, status.to_string()),
    }
}

fn read(from: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    let _ = from.map(|mut from| from.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
