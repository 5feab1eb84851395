//! How a run is getting on: a bar on a terminal, a line now and then elsewhere, always on stderr.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{interrupt, note};
use super::mark::Mark;
use super::plan::{Extent, Plan};

const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    extent: Extent,
    scripts: u64,
    start: Instant,
    done: AtomicU64,
    found: AtomicU64,
    mark: Option<Mark>,
}

impl Progress {
    pub(super) fn new(plan: &Plan) -> Self {
        let (done, found) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { extent: plan.extent, scripts: plan.count(), start: Instant::now(), done, found, mark: None }
    }

    /// The same, leaving a mark of what is under way.
    pub(super) fn marking(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Script `case` is about to run.
    pub(super) fn begins(&self, case: u64) {
        self.mark.iter().for_each(|mark| mark.begins(case));
    }

    /// A run of a script that is being shrunk.
    pub(super) fn beats(&self) {
        self.mark.iter().for_each(Mark::beats);
    }

    pub(super) fn did_one(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    pub(super) fn found_one(&self) {
        self.found.fetch_add(1, Relaxed);
    }

    /// Shows it until the last sender is gone.
    pub(super) fn show_until_all_are_gone(&self, watch: &Receiver<()>) {
        match std::io::stderr().is_terminal() {
            true => {
                let bar = self.bar();
                while waiting(watch, REDRAW) {
                    self.draw(&bar);
                }
                bar.finish_and_clear();
            }
            false => {
                while waiting(watch, LINE_EVERY) {
                    note(&self.line());
                }
            }
        }
    }

    fn bar(&self) -> ProgressBar {
        let len = match self.extent {
            Extent::Scripts(_) => self.scripts,
            Extent::Until(end) => (end - self.start).as_millis() as u64,
        };
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {eta} left");
        ProgressBar::new(len).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    fn draw(&self, bar: &ProgressBar) {
        bar.set_position(match self.extent {
            Extent::Scripts(_) => self.done.load(Relaxed),
            Extent::Until(_) => self.start.elapsed().as_millis() as u64,
        });
        bar.set_message(match interrupt::requested() {
            true => "coming to an end".to_owned(),
            false => self.line(),
        });
    }

    fn line(&self) -> String {
        let (done, found) = (self.done.load(Relaxed), self.found.load(Relaxed));
        let rate = done as f64 / self.start.elapsed().as_secs_f64().max(0.001);
        format!("{done} scripts, {rate:.0}/s, {found} divergences")
    }
}

fn waiting(watch: &Receiver<()>, time: Duration) -> bool {
    watch.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}
