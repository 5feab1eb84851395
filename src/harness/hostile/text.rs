//! A case as text: the sound file on the first line, then a damage a line. `;` may stand for the end of a line.
//!
//! ```text
//! layer 512 64 seed 3 flushes 2 format 1 pages 4096 child
//! flip file 4711 3
//! noise log 100 50 seed 9
//! attack two-meta-rows log
//! ```

use std::fmt;
use std::str::FromStr;

use super::damage::{Damage, Part};
use super::original::{Kind, Recipe};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{Attack, Format, Reached};

/// A sound file, and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The sound file.
    pub recipe: Recipe,
    /// What is done to it, in this order.
    pub damages: Vec<Damage>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.recipe)?;
        self.damages.iter().try_for_each(|damage| writeln!(f, "{damage}"))
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sector_size, sector_count, seed, flushes, kind, format, page_size } = self;
        write!(f, "layer {sector_size} {sector_count} seed {seed} flushes {flushes}")?;
        if *format != Format::Original {
            write!(f, " format {} pages {page_size}", format.version())?;
        }
        match kind {
            Kind::Whole => Ok(()),
            Kind::Child => f.write_str(" child"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Log => "log",
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip { part, at, bit } => write!(f, "flip {part} {at} {bit}"),
            Self::Fill { part, at, len, byte } => write!(f, "fill {part} {at} {len} {byte}"),
            Self::Noise { part, at, len, seed } => write!(f, "noise {part} {at} {len} seed {seed}"),
            Self::Number { part, at, value } => write!(f, "number {part} {at} {value}"),
            Self::Cut { part, at } => write!(f, "cut {part} {at}"),
            Self::Grow { part, len, byte } => write!(f, "grow {part} {len} {byte}"),
            Self::Swap { part, one, other } => write!(f, "swap {part} {one} {other}"),
            Self::Copy { part, from, to } => write!(f, "copy {part} {from} {to}"),
            Self::Journal { pages, lie: None } => write!(f, "journal {pages}"),
            Self::Journal { pages, lie: Some(page) } => write!(f, "journal {pages} lie {page}"),
            Self::Attack { attack, reached: Reached::File } => write!(f, "attack {} file", attack.name()),
            Self::Attack { attack, reached: Reached::Log } => write!(f, "attack {} log", attack.name()),
        }
    }
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lines = text.split(['\n', ';']).map(|line| line.split('#').next().unwrap_or_default().trim());
        let mut lines = lines.filter(|line| !line.is_empty());
        let first = lines.next().ok_or_else(|| syntax("", "a case begins with `layer`"))?;
        let recipe = recipe(first)
            .ok_or_else(|| syntax(first, "`layer SIZE COUNT seed S flushes N [format N pages BYTES] [child]`"))?;
        let damages = lines.map(|line| damage(line).ok_or_else(|| syntax(line, "a damage"))).collect::<Result<_>>()?;
        Ok(Self { recipe, damages })
    }
}

fn syntax(line: &str, expected: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("`{line}`, where {expected} is expected"))
}

fn recipe(line: &str) -> Option<Recipe> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["layer", size, count, "seed", seed, "flushes", flushes, rest @ ..] = &words[..] else { return None };
    // Cases that name no format are older than the second one.
    let (format, page_size, rest) = match rest {
        ["format", format, "pages", size, rest @ ..] => {
            (Format::of_version(format.parse().ok()?)?, size.parse().ok()?, rest)
        }
        _ => (Format::Original, Recipe::PAGE_SIZE, rest),
    };
    // The pages of the original's files have one size.
    if format == Format::Original && page_size != Recipe::PAGE_SIZE {
        return None;
    }
    let kind = match rest {
        [] => Kind::Whole,
        ["child"] => Kind::Child,
        _ => return None,
    };
    Some(Recipe {
        sector_size: size.parse().ok()?,
        sector_count: count.parse().ok()?,
        seed: seed.parse().ok()?,
        flushes: flushes.parse().ok()?,
        kind,
        format,
        page_size,
    })
}

fn damage(line: &str) -> Option<Damage> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let part = match words.get(1) {
        Some(&"log") => Part::Log,
        _ => Part::File,
    };
    let whole = |n: usize| words.get(n)?.parse::<u64>().ok();
    let small = |n: usize| words.get(n)?.parse::<u8>().ok();
    Some(match (words[0], words.len()) {
        ("flip", 4) => Damage::Flip { part, at: whole(2)?, bit: small(3)? },
        ("fill", 5) => Damage::Fill { part, at: whole(2)?, len: whole(3)?, byte: small(4)? },
        ("noise", 6) => Damage::Noise { part, at: whole(2)?, len: whole(3)?, seed: whole(5)? },
        ("number", 4) => Damage::Number { part, at: whole(2)?, value: words[3].parse().ok()? },
        ("cut", 3) => Damage::Cut { part, at: whole(2)? },
        ("grow", 4) => Damage::Grow { part, len: whole(2)?, byte: small(3)? },
        ("swap", 4) => Damage::Swap { part, one: whole(2)?, other: whole(3)? },
        ("copy", 4) => Damage::Copy { part, from: whole(2)?, to: whole(3)? },
        ("journal", 2) => Damage::Journal { pages: words[1].parse().ok()?, lie: None },
        ("journal", 4) => Damage::Journal { pages: words[1].parse().ok()?, lie: Some(words[3].parse().ok()?) },
        ("attack", 3) => {
            let reached = if words[2] == "log" { Reached::Log } else { Reached::File };
            Damage::Attack { attack: Attack::named(words[1])?, reached }
        }
        _ => return None,
    })
}
