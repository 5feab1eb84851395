//! The child: one life on a layer, whose steps are known to whoever knows its seed.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::Result;
use crate::layer::{Below, Durability, LayerIo, Mode, Options, SqliteDiskLayer};
use crate::script::{Choices, SeedChoices};

/// Sectors of the disk, and bytes of each.
pub(super) const SECTORS: u64 = 192;
pub(super) const SECTOR_SIZE: u32 = 512;

/// What waits for a flush: nothing, a sector, some, and more than a life writes between two flushes.
const DIRTY_LIMITS: [u64; 4] = [0, 512, 64 << 10, 1 << 30];
/// With the small one SQLite writes to the log what is not committed yet.
const CACHES: [u64; 2] = [8 << 10, 2 << 20];

/// A life, by its seed and number; as text `seed number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Of the whole series.
    pub seed: u64,
    /// Which of the series.
    pub number: u64,
}

/// What a life does, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A stamp of 0 writes zeros.
    Write {
        sector: u64,
        count: u64,
        stamp: u32,
        durability: Durability,
    },
    Unmap {
        sector: u64,
        count: u64,
    },
    Flush,
    Clear,
    Reopen,
}

impl Life {
    /// Lives on the layer at `place`, which somebody has created with [`super::Series::new`], until it is killed. It
    /// says each step before and after it is done: `begun 0` and `done 0` are the opening.
    ///
    /// # Errors
    ///
    /// What should not happen: a step that is refused.
    pub fn live(&self, place: &Path, say: &mut dyn FnMut(&str)) -> Result<Infallible> {
        let mut settings = SeedChoices::new(!self.seed, self.number);
        say("begun 0");
        let mut layer = SqliteDiskLayer::open(place, Mode::ReadWrite, &options(&mut settings))?;
        say("done 0");
        for (number, step) in (1_u64..).zip(self.steps()) {
            say(&format!("begun {number}"));
            match step {
                Step::Write { sector, count, stamp, durability } => {
                    layer.write(sector, &bytes(stamp, sector, count), durability)?;
                }
                Step::Unmap { sector, count } => layer.unmap(sector, count, Below::Something)?,
                Step::Flush => layer.flush()?,
                Step::Clear => layer.clear()?,
                Step::Reopen => {
                    layer.close()?;
                    layer = SqliteDiskLayer::open(place, Mode::ReadWrite, &options(&mut settings))?;
                }
            }
            say(&format!("done {number}"));
        }
        unreachable!("a life has no end of its own")
    }

    pub(super) fn steps(self) -> impl Iterator<Item = Step> {
        let mut choices = SeedChoices::new(self.seed, self.number);
        // No two writes of a series have the same stamp: what survives says when it was written.
        (1..).map(move |step| Step::draw(&mut choices, (self.number as u32) << 16 | step))
    }
}

fn options(choices: &mut SeedChoices) -> Options {
    let dirty_limit = DIRTY_LIMITS[choices.below(DIRTY_LIMITS.len() as u64) as usize];
    let cache_bytes = CACHES[choices.below(CACHES.len() as u64) as usize];
    Options { dirty_limit, cache_bytes, ..Options::default() }
}

impl Step {
    fn draw(choices: &mut SeedChoices, stamp: u32) -> Self {
        #[derive(Clone, Copy)]
        enum Kind {
            Write,
            Zeros,
            Fua,
            Unmap,
            Flush,
            Clear,
            Reopen,
        }
        let kind = choices.weighted(&[
            (50, Kind::Write),
            (5, Kind::Zeros),
            (8, Kind::Fua),
            (15, Kind::Unmap),
            (14, Kind::Flush),
            (3, Kind::Clear),
            (5, Kind::Reopen),
        ]);
        let longest = choices.weighted(&[(60, 8), (40, SECTORS)]);
        let sector = choices.below(SECTORS);
        let count = choices.between(1, longest.min(SECTORS - sector));
        let write = |stamp, durability| Self::Write { sector, count, stamp, durability };
        match kind {
            Kind::Write => write(stamp, Durability::Flushed),
            Kind::Zeros => write(0, Durability::Flushed),
            Kind::Fua => write(stamp, Durability::Fua),
            Kind::Unmap => Self::Unmap { sector, count },
            Kind::Flush => Self::Flush,
            Kind::Clear => Self::Clear,
            Kind::Reopen => Self::Reopen,
        }
    }

    /// Whether all that was acknowledged is durable when it has returned.
    pub(super) fn promises(self) -> bool {
        matches!(self, Self::Flush | Self::Reopen | Self::Write { durability: Durability::Fua, .. })
    }
}

/// The bytes of a write: each word of a sector says which write it is of, and where it belongs.
fn bytes(stamp: u32, sector: u64, count: u64) -> Vec<u8> {
    let word = |sector: u64| if stamp == 0 { 0 } else { u64::from(stamp) << 32 | sector };
    let words = |sector| std::iter::repeat_n(word(sector).to_le_bytes(), SECTOR_SIZE as usize / 8);
    (sector..sector + count).flat_map(words).flatten().collect()
}

/// The stamp of a sector's bytes, if they are whole and those of that sector.
pub(super) fn stamp_of(sector: u64, bytes: &[u8]) -> Option<u32> {
    let mut words = bytes.chunks_exact(8).map(|word| word.iter().rev().fold(0_u64, |all, &b| all << 8 | u64::from(b)));
    let first = words.next()?;
    let belongs = first == 0 || first & u64::from(u32::MAX) == sector;
    (belongs && words.all(|word| word == first)).then_some((first >> 32) as u32)
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seed, self.number)
    }
}

impl FromStr for Life {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seed, number) = text.split_once(' ').unwrap_or((text, ""));
        Ok(Self { seed: seed.parse()?, number: number.parse()? })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { sector, count, stamp, durability } => {
                let fua = if *durability == Durability::Fua { " fua" } else { "" };
                write!(f, "write {sector} {count} stamp {stamp:#x}{fua}")
            }
            Self::Unmap { sector, count } => write!(f, "unmap {sector} {count}"),
            Self::Flush => f.write_str("flush"),
            Self::Clear => f.write_str("clear"),
            Self::Reopen => f.write_str("reopen"),
        }
    }
}
