//! Disks that are struck: their power is cut, or what they are stored on fails.

use crate::drive::Struck;
use crate::error::Result;
use crate::layer::DiskLayerMetadata;
use crate::strike::{Keeps, Lost, Strike};

/// A disk whose power can be cut.
///
/// Whoever keeps his files on a simulated [`Drive`](crate::drive::Drive) hands it what he is told, and is struck within
/// operations: `arm` and `disarm` are the drive's, `cut` is its `cut` and `power_on`. Whose disk lives elsewhere leaves
/// the first two out, and its power is cut when an operation has returned.
pub trait Powered {
    /// From now on `strike` strikes, until [`Powered::disarm`], which belongs to it. When the power is cut everything fails.
    fn arm(&mut self, strike: &Strike) {
        let _ = strike;
    }

    /// Ends what strikes; whether it has struck. An operation that was struck may fail, with a kind that tells of that
    /// (`Io`, `NoSpace`, `Failed` and their like); after a cut it may have been done or not, as the disk
    /// [keeps](Powered::keeps) it. When only calls have failed the disk goes on with all that it has acknowledged, or it
    /// refuses everything, reads too, and is restarted (rule 18).
    fn disarm(&mut self) -> Struck {
        Struck::No
    }

    /// Cuts the power, and gives it back: what was only in memory is gone, and of what was never synced whatever `lost`
    /// takes. With [`Lost::Nothing`] it is only the process that dies.
    fn cut(&mut self, lost: &Lost);

    /// Lets go of what is still open, and opens what is left, to be written, whatever it was opened for before. This may be
    /// struck by a cut too, and is then done again.
    ///
    /// After a sync that failed it has to write again what it relies on: what reads well then may vanish with the next cut,
    /// whatever is synced until then (LWN 752063). What a failed request has written may be there, or not.
    ///
    /// # Errors
    ///
    /// None is expected when nothing strikes: a disk that does not open is a divergence.
    fn restart(&mut self) -> Result<()>;

    /// What the disk keeps of that which was acknowledged and not flushed; it is judged by this.
    fn keeps(&self) -> Keeps {
        Keeps::default()
    }

    /// The same as [`Powered::restart`], for a stack of layers with parents. If it is refused, that is the answer, and it
    /// is opened by one who knows, or left.
    ///
    /// # Errors
    ///
    /// A layer that does not open, or is not whole.
    fn restart_stack(&mut self, refused: IfRefused) -> Result<Restarted> {
        let _ = refused;
        self.restart().map(|()| Restarted { found: Vec::new(), opened: Ok(()) })
    }
}

/// What is done with a stack that lies over another parent than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfRefused {
    /// It is opened by one who knows, which writes the new parent down.
    Adopt,
    /// It stays closed.
    Leave,
}

/// A stack that was opened again.
pub struct Restarted {
    /// What each layer said of itself before they were stacked.
    pub found: Vec<DiskLayerMetadata>,
    /// Whether they were a stack.
    pub opened: Result<()>,
}
