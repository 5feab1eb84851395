//! Making scripts: a stack first, then what is done to it, each decision asked of [`Choices`].
//!
//! Bugs of disks live at ends and overlaps, so places are biased to 0, to every layer's end, to multiples of 64, to
//! what was touched before, one either side of each. Each script switches some kinds of operation and some biases off
//! (swarm testing: Groce and others, ISSTA 2012), because what is always done hides what shows without it.

use super::{Choices, Content, LayerKind, Line, Op, OpKind, Pushed, Reopen, Script, Target};
use crate::layer::Format;
use crate::request::{Below, Durability};

mod each;
mod kinds;
mod places;
mod shape;
mod strikes;
mod threads;

pub use each::LineChoices;

/// A part of the gate, with its kind of stacks and operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// One layer, used directly.
    Layers,
    /// Two to four layers of many sizes.
    Stacks,
    /// Read caches and write-through.
    Caches,
    /// Closing and opening, read only and over other parents.
    Reopen,
    /// Push, discard and commit.
    Reshape,
    /// Sparse disks with sectors 2^32 apart.
    Huge,
    /// Power cuts, some of them while the disk is opened again.
    PowerCuts,
    /// Calls to the files that fail.
    FailingDrive,
    /// Several threads at once.
    Threads,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 9] = [
        Self::Layers,
        Self::Stacks,
        Self::Caches,
        Self::Reopen,
        Self::Reshape,
        Self::Huge,
        Self::PowerCuts,
        Self::FailingDrive,
        Self::Threads,
    ];

    /// Those in which nothing strikes.
    pub const CALM: [Self; 6] = [Self::Layers, Self::Stacks, Self::Caches, Self::Reopen, Self::Reshape, Self::Huge];

    /// Those on a simulated drive.
    pub const STRUCK: [Self; 2] = [Self::PowerCuts, Self::FailingDrive];
}

/// How decisions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bias {
    /// Where bugs live, and something else in each script.
    Swarm,
    /// All operations, places and contents alike: to compare with.
    Uniform,
}

/// What scripts to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The kind of stacks and operations.
    pub suite: Suite,
    /// How decisions are made.
    pub bias: Bias,
    /// At most so many operations.
    pub max_ops: u64,
    /// The lowest layer is a read-only file of so many sectors of 512 bytes.
    pub base: Option<u64>,
}

impl Profile {
    /// What the gate uses.
    pub fn new(suite: Suite) -> Self {
        Self { suite, bias: Bias::Swarm, max_ops: 50, base: None }
    }
}

impl Script {
    /// A script as `profile` wants it; the same choices make the same script.
    pub fn generate(profile: &Profile, choices: &mut impl Choices) -> Self {
        let shape = shape::generate(profile, choices);
        let lines = match profile.suite {
            Suite::Threads => Author::new(profile, &shape, choices).lines(count(profile, choices), choices),
            _ => Self::generate_struck(profile, &shape, choices),
        };
        Self { shape, lines }
    }

    /// Operations for a given stack, and what strikes them if the suite wants that.
    pub fn generate_struck(profile: &Profile, shape: &super::Shape, choices: &mut impl Choices) -> Vec<Line> {
        let ops = Self::generate_ops(profile, shape, choices);
        strikes::strike(profile.suite, shape, ops, choices)
    }

    /// Operations for a given stack.
    pub fn generate_ops(profile: &Profile, shape: &super::Shape, choices: &mut impl Choices) -> Vec<Op> {
        let count = count(profile, choices);
        let mut author = Author::new(profile, shape, choices);
        (0..count).map(|_| author.op(choices)).collect()
    }
}

fn count(profile: &Profile, choices: &mut impl Choices) -> u64 {
    match profile.bias {
        Bias::Swarm => choices.between(profile.max_ops / 5 + 1, profile.max_ops.max(2)),
        Bias::Uniform => choices.between(1, profile.max_ops),
    }
}

/// What the author of a script keeps in mind.
struct Author {
    profile: Profile,
    /// Sizes of the layers in sectors, top first, as far as the author can tell.
    sizes: Vec<u64>,
    sector_size: u32,
    /// Zeros are remembered in extents, by every layer that may have to; else in rows, one for each sector.
    remembers_extents: bool,
    /// What the format stores as one, in sectors.
    unit: u64,
    kinds: Vec<(u64, OpKind)>,
    read_only: bool,
    just_reopened: bool,
    next_stamp: u32,
    /// Ranges that were touched, the latest last.
    recent: Vec<(u64, u64)>,
    likes: Likes,
    /// Unmaps may be as long as they like: nothing is below that would make the layer remember each sector.
    long_unmaps: bool,
}

/// Biases, each on or off for a whole script.
struct Likes {
    ends: bool,
    recent: bool,
    sixty_four: bool,
    units: bool,
    layers: bool,
    special_content: bool,
}

impl Author {
    fn new(profile: &Profile, shape: &super::Shape, choices: &mut impl Choices) -> Self {
        let mut like = |percent| profile.bias == Bias::Swarm && choices.percent(percent);
        let likes = Likes {
            ends: like(85),
            recent: like(85),
            sixty_four: like(50),
            units: like(60),
            layers: like(60),
            special_content: like(80),
        };
        Self {
            kinds: kinds::draw(profile, choices),
            profile: *profile,
            sizes: shape.layers.iter().map(|layer| layer.sector_count).collect(),
            sector_size: shape.sector_size,
            remembers_extents: shape.format == Format::One && shape.layers.iter().all(|l| l.kind != LayerKind::Ram),
            unit: shape.unit(),
            read_only: shape.read_only,
            just_reopened: false,
            next_stamp: 1,
            recent: Vec::new(),
            likes,
            long_unmaps: shape.layers.len() == 1,
        }
    }

    fn op(&mut self, choices: &mut impl Choices) -> Op {
        // What an opening has left undone is told by the next one, before anything else hides it.
        if std::mem::take(&mut self.just_reopened) && choices.percent(15) {
            return self.reopen(choices);
        }
        let kind = match self.read_only && self.profile.bias == Bias::Swarm {
            // Little but refusals can come of changes now.
            true => {
                choices.weighted(&[(10, OpKind::Read), (4, OpKind::Reopen), (1, OpKind::Write), (1, OpKind::Unmap)])
            }
            false => choices.weighted(&self.kinds),
        };
        match kind {
            OpKind::Read => {
                let (target, sector, count) = self.request(choices);
                Op::Read { target, sector, count }
            }
            OpKind::Write => {
                let (target, sector, count) = self.request(choices);
                let often = if Suite::STRUCK.contains(&self.profile.suite) { 25 } else { 10 };
                let durability = if choices.percent(often) { Durability::Fua } else { Durability::Flushed };
                Op::Write { target, sector, count, content: self.content(choices), durability }
            }
            OpKind::Fill => {
                let layer = choices.below(self.sizes.len() as u64) as usize;
                let (sector, count) = self.range(self.sizes[layer], 512, choices);
                Op::Fill { layer, sector, count: count as u32, content: self.content(choices) }
            }
            OpKind::Unmap => self.unmap(choices),
            OpKind::Flush => Op::Flush { target: self.target(choices) },
            OpKind::Odd => self.odd(choices),
            OpKind::Reopen => self.reopen(choices),
            OpKind::Push => self.push(choices),
            OpKind::Discard => {
                if self.sizes.len() > 1 {
                    self.sizes.remove(0);
                }
                Op::Discard
            }
            OpKind::Commit => Op::Commit,
        }
    }

    fn request(&mut self, choices: &mut impl Choices) -> (Target, u64, u32) {
        let target = self.target(choices);
        let size = self.size_of(target);
        let (sector, count) = self.range(size, 512, choices);
        (target, sector, count as u32)
    }

    fn target(&self, choices: &mut impl Choices) -> Target {
        let percent = match self.profile.bias {
            Bias::Uniform => 20,
            // Past the layers above: what they have recorded of this one is then out of date.
            Bias::Swarm if self.likes.layers && self.reopens() => 25,
            Bias::Swarm if self.likes.layers => 18,
            Bias::Swarm => 2,
        };
        match choices.percent(percent) {
            true => Target::Layer(choices.below(self.sizes.len() as u64) as usize),
            false => Target::Disk,
        }
    }

    fn reopens(&self) -> bool {
        matches!(self.profile.suite, Suite::Reopen | Suite::Reshape)
    }

    fn size_of(&self, target: Target) -> u64 {
        match target {
            Target::Disk => self.sizes[0],
            Target::Layer(layer) => self.sizes[layer],
        }
    }

    fn content(&mut self, choices: &mut impl Choices) -> Content {
        let special = match self.profile.bias {
            Bias::Uniform => 75,
            Bias::Swarm if self.likes.special_content => 50,
            Bias::Swarm => 0,
        };
        if !choices.percent(special) {
            self.next_stamp += 1;
            return Content::Stamp(self.next_stamp - 1);
        }
        match choices.below(3) {
            0 => Content::Zeros,
            1 => Content::Fill(choices.between(1, 255) as u8),
            _ => {
                let last = u64::from(self.sector_size) - 1;
                let at = choices.weighted(&[(2, last), (1, 0), (2, u64::from(self.sector_size) / 2), (1, last / 3)]);
                Content::Byte { at: at as u32, value: choices.between(1, 255) as u8 }
            }
        }
    }

    fn unmap(&mut self, choices: &mut impl Choices) -> Op {
        let target = self.target(choices);
        let longest = if self.long_unmaps || self.remembers(u64::MAX) { u64::MAX } else { 512 };
        let (sector, count) = self.range(self.size_of(target), longest, choices);
        match target {
            Target::Disk => Op::Unmap { sector, count },
            Target::Layer(layer) => {
                let below =
                    if self.remembers(count) && choices.percent(60) { Below::Something } else { Below::Nothing };
                Op::UnmapLayer { layer, sector, count, below }
            }
        }
    }

    /// Whether a layer may have to remember so many zeroed sectors.
    fn remembers(&self, count: u64) -> bool {
        self.remembers_extents || count <= 4096
    }

    fn odd(&mut self, choices: &mut impl Choices) -> Op {
        let (target, sector, count) = self.request(choices);
        let len = count.min(16) * self.sector_size + choices.between(1, u64::from(self.sector_size) - 1) as u32;
        match choices.below(2) {
            0 => Op::ReadBytes { target, sector, len },
            _ => Op::WriteBytes { target, sector, len },
        }
    }

    fn reopen(&mut self, choices: &mut impl Choices) -> Op {
        let how = match self.read_only {
            true => Reopen::Writable,
            false => choices.weighted(&[(6, Reopen::Writable), (1, Reopen::ReadOnly), (1, Reopen::Elsewhere)]),
        };
        self.read_only = how == Reopen::ReadOnly;
        self.just_reopened = self.profile.bias == Bias::Swarm;
        Op::Reopen(how)
    }

    fn push(&mut self, choices: &mut impl Choices) -> Op {
        // A taller stack tells nothing new, and takes longer.
        if self.sizes.len() >= 6 {
            self.sizes.remove(0);
            return Op::Discard;
        }
        self.sizes.insert(0, self.sizes[0]);
        self.long_unmaps = false;
        let pushed = choices.weighted(&[(3, Pushed::Sqlite), (1, Pushed::Ram)]);
        self.remembers_extents &= pushed == Pushed::Sqlite;
        Op::Push(pushed)
    }
}
