//! How a run is getting on: a bar on a terminal, a line now and then elsewhere, always on stderr.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{interrupt, note};

const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(in crate::cli) struct Progress {
    count: u64,
    things: &'static str,
    start: Instant,
    done: AtomicU64,
}

impl Progress {
    pub(in crate::cli) fn new(count: u64, things: &'static str) -> Self {
        Self { count, things, start: Instant::now(), done: AtomicU64::new(0) }
    }

    pub(in crate::cli) fn did_one(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// Shows it until the last sender is gone.
    pub(in crate::cli) fn show_until_all_are_gone(&self, watch: &Receiver<()>) {
        let waiting = |time| watch.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        if !std::io::stderr().is_terminal() {
            while waiting(LINE_EVERY) {
                note(&self.line());
            }
            return;
        }
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(self.count).with_style(style);
        while waiting(REDRAW) {
            bar.set_position(self.done.load(Relaxed));
            bar.set_message(if interrupt::requested() { "coming to an end".to_owned() } else { self.line() });
        }
        bar.finish_and_clear();
    }

    fn line(&self) -> String {
        let done = self.done.load(Relaxed);
        let rate = done as f64 / self.start.elapsed().as_secs_f64().max(0.001);
        format!("{done} of {} {}, {rate:.0}/s", self.count, self.things)
    }
}
