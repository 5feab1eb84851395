//! The text of what strikes an operation: what follows the `!` on its line.

use std::fmt;

use super::Words;
use crate::error::Result;
use crate::script::Line;
use crate::strike::{Cut, Failure, Lost, Span, Strike};

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.turn.as_ref().map_or(Ok(()), |turn| turn.fmt(f))?;
        self.op.fmt(f)?;
        self.strike.as_ref().map_or(Ok(()), |strike| write!(f, " ! {strike}"))
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(cuts) => {
                f.write_str("cut")?;
                cuts.iter().enumerate().try_for_each(|(at, Cut { after, lost })| {
                    write!(f, "{} after {after} writes, lose {lost}", if at == 0 { "" } else { " then" })
                })
            }
            Self::Fail { call, span, failure } => {
                let on = if *span == Span::Rest { " and on" } else { "" };
                let (name, _) = Failure::ALL.iter().find(|(_, named)| named == failure).unwrap_or(&Failure::ALL[0]);
                write!(f, "fail call {call}{on} with {name}")
            }
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Everything => f.write_str("all"),
            Self::Some(seed) => write!(f, "some {seed}"),
            Self::These(units) if units.is_empty() => f.write_str("none"),
            Self::These(units) => {
                let units: Vec<_> = units.iter().map(ToString::to_string).collect();
                f.write_str(&units.join(" "))
            }
        }
    }
}

impl Words<'_> {
    /// What strikes an operation.
    pub(super) fn strike(mut self) -> Result<Strike> {
        let strike = match self.words.next() {
            Some("cut") => {
                let mut cuts = vec![self.cut()?];
                while self.words.clone().next() == Some("then") {
                    self.words.next();
                    cuts.push(self.cut()?);
                }
                Strike::Cut(cuts)
            }
            Some("fail") => {
                self.word("call", "`call` and its number")?;
                let call = self.number("the number of a call")?;
                let span = match self.words.next() {
                    Some("with") => Span::One,
                    Some("and") => {
                        self.word("on", "`and on with`")?;
                        self.word("with", "`with` and a failure")?;
                        Span::Rest
                    }
                    _ => return Err(self.wrong("`with` or `and on with`, and a failure")),
                };
                Strike::Fail { call, span, failure: self.one_of(&Failure::ALL)? }
            }
            _ => return Err(self.wrong("`cut` or `fail` after the `!`")),
        };
        self.end().map(|()| strike)
    }

    fn cut(&mut self) -> Result<Cut> {
        self.word("after", "`after` and a number of writes")?;
        let after = self.number("a number of writes")?;
        if !matches!(self.words.next(), Some("writes," | "write,")) {
            return Err(self.wrong("`writes,` and then `lose`"));
        }
        self.word("lose", "`lose` and what is lost")?;
        Ok(Cut { after, lost: self.lost()? })
    }

    fn word(&mut self, wanted: &str, expected: &str) -> Result<()> {
        match self.words.next() {
            Some(word) if word == wanted => Ok(()),
            _ => Err(self.wrong(expected)),
        }
    }

    fn lost(&mut self) -> Result<Lost> {
        const EXPECTED: &str = "`none`, `all`, `some SEED`, or the numbers of units";
        let mut ahead = self.words.clone();
        let lost = match ahead.next() {
            Some("none") => Lost::Nothing,
            Some("all") => Lost::Everything,
            Some("some") => {
                self.words = ahead;
                return Ok(Lost::Some(self.number("a seed")?));
            }
            Some("then") | None => return Err(self.wrong(EXPECTED)),
            Some(_) => {
                let mut units = Vec::new();
                while self.words.clone().next().is_some_and(|word| word != "then") {
                    units.push(self.number(EXPECTED)?);
                }
                return Ok(Lost::These(units));
            }
        };
        self.words = ahead;
        Ok(lost)
    }
}
