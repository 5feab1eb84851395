//! Shrinking: operations are deleted, then what is left is made simpler, while the divergence stays the same.

use super::Divergence;
use crate::script::Script;

/// So many runs at most; a script of fifty operations needs a few hundred.
const BUDGET: usize = 6000;

/// The simplest script found that diverges in the same way as `found`; `run` runs one.
pub fn minimize(
    found: Box<Divergence>,
    run: &mut dyn FnMut(&Script) -> Result<(), Box<Divergence>>,
) -> Box<Divergence> {
    let mut search = Search { best: found, run, budget: BUDGET };
    search.cut_after_divergence();
    loop {
        let before = search.best.script.clone();
        search.delete();
        search.simplify();
        if search.best.script == before || search.budget == 0 {
            return search.best;
        }
    }
}

struct Search<'a> {
    best: Box<Divergence>,
    run: &'a mut dyn FnMut(&Script) -> Result<(), Box<Divergence>>,
    budget: usize,
}

impl Search<'_> {
    /// Takes `script` if it diverges in the same way.
    fn attempt(&mut self, script: &Script) -> bool {
        if self.budget == 0 {
            return false;
        }
        self.budget -= 1;
        match (self.run)(script) {
            Err(divergence) if divergence.signature() == self.best.signature() => {
                self.best = divergence;
                true
            }
            _ => false,
        }
    }

    fn cut_after_divergence(&mut self) {
        let end = self.best.step.map_or(0, |step| step + 1);
        let script = self.best.script.without_ops(end..self.best.script.lines.len());
        self.attempt(&script);
    }

    /// Deletes runs of operations, long ones first (Zeller's delta debugging, without the complements).
    fn delete(&mut self) {
        let mut len = self.best.script.lines.len().div_ceil(2);
        while len > 0 {
            let mut end = self.best.script.lines.len();
            while end > 0 {
                let start = end.saturating_sub(len);
                let script = self.best.script.without_ops(start..end);
                self.attempt(&script);
                end = start.min(self.best.script.lines.len());
            }
            len /= 2;
        }
    }

    /// Takes the first simpler script that still diverges, and looks again.
    fn simplify(&mut self) {
        while self.budget > 0 {
            let candidates = self.best.script.simpler();
            if !candidates.iter().any(|script| self.attempt(script)) {
                return;
            }
        }
    }
}
