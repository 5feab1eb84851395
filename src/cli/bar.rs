//! How a copy is getting on: a bar on a terminal, nothing elsewhere, and the end of it at Ctrl-C.

use std::io::IsTerminal;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::layer::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Verdict, interrupt};

/// Runs `work`, which says how far it is; at Ctrl-C it ends and leaves what was there.
pub(super) fn with_bar<T>(work: impl FnOnce(&mut dyn FnMut(Progress) -> Result<()>) -> Result<T>) -> Result<T> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {eta} left");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let done = work(&mut |progress| {
        if let Some(bar) = &bar {
            bar.set_length(progress.of);
            bar.set_position(progress.done);
        }
        match interrupt::requested() {
            true => Err(Error::new(ErrorKind::Failed, "Ctrl-C")),
            false => Ok(()),
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    done
}

/// What the shell is told of a failure; one that Ctrl-C made is none.
pub(super) fn verdict(error: Error) -> Result<Verdict> {
    match interrupt::requested() && error.kind() == ErrorKind::Failed {
        true => Ok(Verdict::Interrupted),
        false => Err(error),
    }
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{size:.1} {unit}") }
}
