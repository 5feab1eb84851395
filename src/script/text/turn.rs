//! The text of a turn: what precedes the `|` on a line.

use std::fmt;

use super::Words;
use crate::error::Result;
use crate::script::{Line, Op, Turn};

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.thread)?;
        if !self.yields.is_empty() {
            f.write_str(" yields")?;
            self.yields.iter().try_for_each(|step| write!(f, " {step}"))?;
        }
        f.write_str("| ")
    }
}

impl Words<'_> {
    /// An operation with what is written before and after it.
    pub(super) fn line(&self, op: Op, turn: Option<Self>, strike: Option<Self>) -> Result<Line> {
        match (&turn, &strike) {
            (Some(_), _) if !op.can_be_shared() => {
                Err(self.wrong("a thread's own operation, not a `reopen`, `push` or `discard`, after the `|`"))
            }
            (Some(_), Some(_)) => Err(self.wrong("a `!` only on a line without a `|`")),
            _ => Ok(Line {
                turn: turn.map(Words::turn).transpose()?,
                op,
                strike: strike.map(Words::strike).transpose()?,
            }),
        }
    }

    /// The thread of an operation, and where it gives way.
    pub(super) fn turn(mut self) -> Result<Turn> {
        let what = format!("the number of a thread from 1 to {}", Turn::MOST_THREADS);
        let thread = self.number(&what)?;
        if !(1..=Turn::MOST_THREADS).contains(&thread) {
            return Err(self.wrong(&what));
        }
        let mut yields = Vec::new();
        match self.words.next() {
            None => return Ok(Turn { thread, yields }),
            Some("yields") => {}
            Some(_) => return Err(self.wrong("`yields` and the numbers of steps, or nothing, before the `|`")),
        }
        while self.words.clone().next().is_some() {
            yields.push(self.number("the number of a step")?);
        }
        Ok(Turn { thread, yields })
    }
}
