//! What strikes a disk while an operation runs: the power is cut, or a call of the database to its files fails.
//!
//! A strike is part of the line of its operation, so it moves and shrinks with it. Numbers that are too large strike
//! later or not at all: any line may be deleted and what is left is still a script.

/// What strikes an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Strike {
    /// The power is cut; and then, while the disk is opened again, as often as there are more of these.
    Cut(Vec<Cut>),
    /// Calls to the files fail.
    Fail {
        /// The number of the call, from 1, among all those that the operation makes. If what fails does not fit that
        /// call, the next one that it fits.
        call: u32,
        /// How many fail.
        span: Span,
        /// How.
        failure: Failure,
    },
}

/// A power cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// So many writes are done: calls that change the files, their names, or sync them. If there are no more, the power
    /// is cut when the operation has returned.
    pub after: u32,
    /// What does not survive of that which was never synced.
    pub lost: Lost,
}

/// What a power cut takes of that which was never synced. It is counted in units, the oldest first, from 1: each piece
/// of a write up to the next multiple of 512 bytes is one, and so is each change of a file's length or of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// Nothing: as if only the process had died.
    Nothing,
    /// Whatever was not synced.
    Everything,
    /// Each unit with the same chance, drawn with this seed.
    Some(u32),
    /// These units.
    These(Vec<u32>),
}

/// What somebody's own disk keeps, when its power is cut, of that which it has acknowledged and was never told to flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// Each sector is as it was at the last flush, or as some request since has made it, whatever has become of others:
    /// a write cache. A FUA write is durable, and nothing else is by it.
    #[default]
    EachSector,
    /// The disk is as it was after some request, not before the last flush or FUA write, and nothing of what came later
    /// is there: a log.
    Prefix,
}

/// How many calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// One.
    One,
    /// All from there to the end of the operation.
    Rest,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Any call: with the error that belongs to it.
    Error,
    /// A write that makes a file longer, or makes a file: there is no space.
    Full,
    /// A write: the first half arrives. A read: the second half is missing.
    Short,
    /// A sync. The pages that it should have written still read well; they may vanish when the power is cut, whatever
    /// is synced later. That is what Linux does (LWN 752063).
    Sync,
    /// A lock: somebody else has it.
    Lock,
    /// Opening or looking for a file.
    Open,
    /// Any call: there is no memory.
    Memory,
}

impl Failure {
    /// Every failure, with its name in scripts.
    pub const ALL: [(&'static str, Self); 7] = [
        ("error", Self::Error),
        ("full", Self::Full),
        ("short", Self::Short),
        ("sync", Self::Sync),
        ("lock", Self::Lock),
        ("open", Self::Open),
        ("memory", Self::Memory),
    ];
}

impl Strike {
    /// Strikes that are simpler in one respect.
    pub fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Cut(cuts) => {
                let shorter = (1..cuts.len()).map(|len| Self::Cut(cuts[..len].to_vec()));
                let simpler = cuts.iter().enumerate().flat_map(|(at, cut)| {
                    cut.simpler().into_iter().map(move |simpler| {
                        let mut cuts = cuts.clone();
                        cuts[at] = simpler;
                        Self::Cut(cuts)
                    })
                });
                shorter.chain(simpler).collect()
            }
            &Self::Fail { call, span, failure } => {
                let fewer = [1, call / 2, call.saturating_sub(1)].into_iter().filter(|&n| n < call && n > 0);
                let fewer = fewer.map(|call| Self::Fail { call, span, failure });
                let once = (span == Span::Rest).then_some(Self::Fail { call, span: Span::One, failure });
                once.into_iter().chain(fewer).collect()
            }
        }
    }
}

impl Cut {
    fn simpler(&self) -> Vec<Self> {
        let Self { after, lost } = self;
        let fewer = [0, after / 2, after.saturating_sub(1)].into_iter().filter(|n| n < after);
        let fewer = fewer.map(|after| Self { after, lost: lost.clone() });
        lost.simpler().into_iter().map(|lost| Self { after: *after, lost }).chain(fewer).collect()
    }
}

impl Lost {
    /// A hundred units at most are named one by one.
    const NAMED: u32 = 100;

    /// Whether a unit is lost, by its number from 1.
    pub fn takes(&self, unit: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Some(seed) => {
                let mixed = (u64::from(*seed) << 32 | u64::from(unit)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 63 == 1
            }
            Self::These(units) => units.contains(&unit),
        }
    }

    fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Everything => vec![Self::Nothing],
            Self::Some(_) => {
                let named = (1..=Self::NAMED).filter(|&unit| self.takes(unit)).collect();
                vec![Self::Nothing, Self::Everything, Self::These(named)]
            }
            Self::These(units) => {
                let without = |gone: std::ops::Range<usize>| {
                    let kept = units.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, unit)| *unit);
                    Self::These(kept.collect())
                };
                let half = units.len() / 2;
                let halves = [0..half, half..units.len()].into_iter().filter(|gone| !gone.is_empty());
                let ones = (0..units.len()).filter(|_| units.len() <= 24).map(|at| at..at + 1);
                [Self::Nothing, Self::Everything].into_iter().chain(halves.chain(ones).map(without)).collect()
            }
        }
    }
}
