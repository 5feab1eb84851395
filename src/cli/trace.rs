//! What happened, step by step, in columns.

use disklayer_sqlite::harness::{Divergence, Step};
use disklayer_sqlite::script::{Op, Touched};

use super::table::{Align, table};

/// The steps so far.
#[derive(Default)]
pub(super) struct Trace(Vec<Vec<String>>);

impl Trace {
    pub(super) fn note(&mut self, step: &Step<'_>) {
        let touched = step.touched.unwrap_or_default().iter().enumerate().filter_map(|(n, t)| layer(n, t));
        let touched: Vec<_> = touched.collect();
        self.0.push(row(step.index, step.op, step.outcome.to_string(), touched.join("; ")));
    }

    pub(super) fn note_divergence(&mut self, divergence: &Divergence) {
        let Some((step, op)) = divergence.step.zip(divergence.op()) else { return };
        // An operation that was done may leave a layer other than it must be.
        self.0.truncate(step);
        self.0.push(row(step, op, "DIVERGES".to_owned(), String::new()));
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&table(&self.0, &[Align::Right, Align::Left, Align::Left, Align::Left]))
    }
}

fn row(index: usize, op: &Op, outcome: String, touched: String) -> Vec<String> {
    vec![index.to_string(), op.to_string(), outcome, touched]
}

/// What was done on layer `index`, if anything was.
fn layer(index: usize, touched: &Touched) -> Option<String> {
    let Touched { read, written, filled, unmapped, flushed } = *touched;
    let counts = [(read, "read"), (written, "written"), (filled, "filled"), (unmapped, "unmapped")];
    let mut parts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    parts.extend((flushed > 0).then(|| "flushed".to_owned()));
    (!parts.is_empty()).then(|| format!("@{index}: {}", parts.join(", ")))
}
