//! A script: a stack, and what is done to it. A value; everything else makes one, runs one, or keeps one.
//!
//! The text form is the file format of `tests/scripts/*.script`:
//!
//! ```
//! use disklayer_sqlite::script::Script;
//! let script: Script = "\
//! ## Unmap of a cached sector showed the layer below.
//! disk 512
//! layer sqlite 64 diff
//! layer ram 64 read-cache
//! layer file 96 filled 9
//! write 40 3 stamp 7
//! unmap 41 1
//! reopen
//! read 40 3
//! ".parse()?;
//! assert_eq!(script.lines.len(), 4);
//! # Ok::<(), disklayer_sqlite::error::Error>(())
//! ```
//!
//! - `disk SECTOR_SIZE [in-memory] [read-only] [dirty-limit BYTES] [format 0] [pages BYTES]`, once, first; SQLite layers have
//!   format 1 and pages of 4096 bytes if nothing else is said.
//! - `layer KIND SECTORS [diff] [read-cache] [write-through] [read-only] [filled STAMP]`, top first; the kinds are
//!   `sqlite`, `ram`, `file` and `own` (somebody's own disk). `filled` makes every sector present before the script.
//! - Then the operations, one a line: [`Op`] says how each is written. A `;` ends a line too.
//! - What strikes an operation follows it after a `!`:
//!   - `! cut after WRITES writes, lose none|all|some SEED|UNIT…`: the power is cut; followed by `then after …`, it is
//!     cut again while the disk is being opened;
//!   - `! fail call NUMBER [and on] with error|full|short|sync|lock|open|memory`: calls to the files fail.
//!
//!   [`Strike`] says what is counted. Such a script runs on a simulated drive.
//! - `THREAD [yields STEP…]|` before an operation: lines of several threads that follow one another run at once, and
//!   each thread gives way to the next before the steps that are named. [`Turn`] says what a step is.
//!
//! ```text
//! 1 yields 3| write 0 4 stamp 1
//! 2| read 0 8
//! ```

use crate::geometry::Geometry;
use crate::layer::Format;
use crate::strike::Strike;

mod choices;
mod generate;
mod op;
mod outcome;
mod simplify;
mod text;
mod turn;

pub use choices::{Choices, SeedChoices};
pub use generate::{Bias, LineChoices, Profile, Suite};
pub use op::{Content, Op, OpKind, Pushed, Reopen, Target};
pub use outcome::{Outcome, Touched};
pub use turn::Turn;

/// A stack, and what is done to it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Script {
    /// The stack at first.
    pub shape: Shape,
    /// What is done, in order.
    pub lines: Vec<Line>,
}

/// An operation, and what strikes it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Line {
    /// Which of several threads does it; nobody does anything else meanwhile if none.
    pub turn: Option<Turn>,
    /// What is done.
    pub op: Op,
    /// What happens meanwhile.
    pub strike: Option<Strike>,
}

impl From<Op> for Line {
    fn from(op: Op) -> Self {
        Self { turn: None, op, strike: None }
    }
}

/// A stack, before anything is done.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Bytes in a sector.
    pub sector_size: u32,
    /// Where SQLite databases are kept.
    pub medium: Medium,
    /// Whether the disk is opened read only.
    pub read_only: bool,
    /// SQLite layers commit when more than this many bytes wait for a flush.
    pub dirty_limit: Option<u64>,
    /// The format of SQLite layers.
    pub format: Format,
    /// Bytes of their pages, in format 1.
    pub page_size: u32,
    /// Top first.
    pub layers: Vec<LayerShape>,
}

/// Where SQLite databases are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// In files, with a log beside each.
    Files,
    /// In memory.
    Memory,
}

/// A kind of layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LayerKind {
    /// [`SqliteDiskLayer`](crate::layer::SqliteDiskLayer).
    Sqlite,
    /// [`RamDiskLayer`](crate::layer::RamDiskLayer).
    Ram,
    /// [`FileDisk`](crate::layer::FileDisk): every sector is present.
    File,
    /// Somebody's own disk, which the harness is pointed at.
    Own,
}

/// A layer of a [`Shape`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerShape {
    /// What it is.
    pub kind: LayerKind,
    /// Its size in sectors.
    pub sector_count: u64,
    /// It records what it was made over; SQLite only.
    pub diff: bool,
    /// It keeps what is read from below.
    pub read_cache: bool,
    /// Writes to it go to the next layer too.
    pub write_through: bool,
    /// It refuses to be changed, and may be filled if it is not a file.
    pub read_only: bool,
    /// Every sector is present from the start, with this stamp.
    pub filled: Option<u32>,
}

impl LayerShape {
    /// A plain layer of `sector_count` sectors.
    pub fn new(kind: LayerKind, sector_count: u64) -> Self {
        Self {
            kind,
            sector_count,
            diff: false,
            read_cache: false,
            write_through: false,
            read_only: false,
            filled: None,
        }
    }
}

impl Shape {
    /// The usual size of pages, in bytes.
    pub const PAGE_SIZE: u32 = 4096;

    /// In how many sectors at a time format 1 stores what it is given: off multiples of it a request has edges inside.
    pub fn unit(&self) -> u64 {
        u64::from(8 * self.page_size / self.sector_size).clamp(1, 64)
    }

    /// What is struck is compared whole each time, and all of it lies in memory; but for somebody's own disk.
    const LARGEST_STRUCK: u64 = 4096;

    /// Whether operations on it may be struck: its layers are not too large for that.
    pub fn can_be_struck(&self) -> bool {
        self.layers.iter().all(|layer| layer.kind == LayerKind::Own || layer.sector_count <= Self::LARGEST_STRUCK)
    }

    /// One disk of somebody else's.
    pub fn own(geometry: Geometry) -> Self {
        let layers = vec![LayerShape::new(LayerKind::Own, geometry.sector_count())];
        Self {
            sector_size: geometry.sector_size(),
            medium: Medium::Memory,
            read_only: false,
            dirty_limit: None,
            format: Format::NEWEST,
            page_size: Self::PAGE_SIZE,
            layers,
        }
    }
}
