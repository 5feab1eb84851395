//! Hostile files: a sound one is made by the real layer, damaged, and opened; what comes of it is judged (rule 19).
//!
//! - A [`Case`] is a sound file and what is done to it, and has a text form: what was found can be kept and replayed.
//! - A file that is refused says why with the right kind of error, within a second, and keeps every byte, its log and
//!   journal included. Reader and writer agree.
//! - A file that is served is read whole, sector by sector and by extents. A sector shows what the sound file had at
//!   the last commit that its log still has, or is an error.
//! - A file that is served is changed, too: what is refused has changed nothing, what is acknowledged shows.
//! - Neither format has checksums. Where the damage struck the bytes of a row, those bytes may be others, and a row whose
//!   key was struck may be another sector's. The judge knows which bytes these are, and allows nothing else.

mod change;
mod damage;
mod expect;
mod finding;
mod generate;
mod image;
mod judge;
mod original;
mod stored;
mod stranger;
mod tally;
mod text;
mod yard;

pub use damage::{Damage, Part};
pub use finding::{Finding, Wrong};
pub use judge::{Judged, Outcome};
pub use original::{Kind, Recipe};
pub use tally::Tally;
pub use text::Case;
pub use yard::Yard;

/// Whether a log ends in a transaction that is not whole by its seal; `file` is what it belongs to.
pub(super) fn has_torn_log(file: &[u8], log: &[u8]) -> bool {
    image::Image::new(file, log).is_torn
}
