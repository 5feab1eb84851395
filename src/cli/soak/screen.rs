//! How a soak is getting on: every lane on a terminal, a line now and then elsewhere, always on stderr.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::state::State;
use super::{Board, text};
use crate::cli::table::rounded;
use crate::cli::{interrupt, note};

const REDRAW: Duration = Duration::from_millis(500);
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Shows it until the last sender is gone.
pub(super) fn show_until_all_are_gone(board: &Board<'_>, watch: &Receiver<()>) {
    if !std::io::stderr().is_terminal() {
        note(&format!("soak in {}: {} in all", board.dir.path("").display(), time(board.shared().state.wanted())));
        while waiting(watch, LINE_EVERY) {
            note(&line(board));
        }
        return;
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}");
    let bar = ProgressBar::new(board.shared().state.wanted().as_millis() as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    while waiting(watch, REDRAW) {
        let spent = board.before + board.start.elapsed();
        bar.set_position(spent.as_millis() as u64);
        let table = text::lanes(&board.shared().state);
        bar.set_message(format!("{}\n\n{table}", line(board)));
    }
    bar.finish_and_clear();
}

fn line(board: &Board<'_>) -> String {
    let left = board.left();
    let end = if interrupt::requested() { "coming to an end".to_owned() } else { format!("{} left", time(left)) };
    format!("{}, {end}", told(&board.shared().state))
}

fn told(state: &State) -> String {
    let rate = state.executions() as f64 / state.spent_seconds.max(0.001);
    format!(
        "{} executions, {rate:.0}/s, {} features, {} found",
        rounded(state.executions()),
        rounded(state.features()),
        state.findings.len()
    )
}

/// A time as people say it.
pub(super) fn time(time: Duration) -> String {
    let whole = Duration::from_secs(time.as_secs());
    if whole.is_zero() { format!("{} ms", time.as_millis()) } else { humantime::format_duration(whole).to_string() }
}

fn waiting(watch: &Receiver<()>, time: Duration) -> bool {
    watch.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}
