//! A stack on a simulated drive, whose power is cut and whose calls fail.

use std::borrow::BorrowMut;
use std::sync::Arc;

use super::{Home, StackSubject};
use crate::drive::{Drive, Struck};
use crate::error::Result;
use crate::harness::World;
use crate::harness::powered::{IfRefused, Powered, Restarted};
use crate::layer::{DiskLayerMetadata, LayerIo, RamDiskLayer};
use crate::script::Reopen;
use crate::stack::{DiskAccess, LayeredDisk, ParentCheck};
use crate::strike::{Lost, Strike};

impl<W: BorrowMut<World>> StackSubject<W> {
    /// The drive that is struck.
    pub(in crate::harness) fn drive(&self) -> Drive {
        self.world.borrow().drive().cloned().unwrap_or_default()
    }

    /// Lets go of everything; what was only in memory is gone.
    pub(in crate::harness) fn lose_power(&mut self) {
        // It cannot be closed in order any more; that it fails is what it does.
        let _ = self.disk.close();
        for part in &mut self.parts {
            if let Home::Ram(io) = &mut part.home {
                let DiskLayerMetadata { geometry, access, .. } = io.metadata();
                *io = Arc::new(RamDiskLayer::new(geometry, access));
            }
        }
    }
}

impl<W: BorrowMut<World>> Powered for StackSubject<W> {
    fn arm(&mut self, strike: &Strike) {
        self.drive().arm(strike);
    }

    fn disarm(&mut self) -> Struck {
        self.drive().disarm()
    }

    fn cut(&mut self, lost: &Lost) {
        self.drive().cut();
        self.lose_power();
        self.drive().power_on(lost);
    }

    fn restart(&mut self) -> Result<()> {
        self.restart_stack(IfRefused::Adopt)?.opened
    }

    fn restart_stack(&mut self, refused: IfRefused) -> Result<Restarted> {
        let _ = self.disk.close();
        let mut layers = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let open = || {
                let io = part.open(Reopen::Writable, self.sector_size, &self.options)?;
                io.verify().map(|()| io)
            };
            layers.push(open().map_err(|e| e.at_layer(index))?);
        }
        let found = layers.iter().map(|io| io.metadata()).collect();
        let access = if self.read_only { DiskAccess::ReadOnly } else { DiskAccess::Writable };
        let stack = |check| {
            let parts = self.parts.iter().zip(&layers).map(|(part, io)| part.configure(io.clone(), check));
            LayeredDisk::new(parts.collect(), access)
        };
        let (opened, disk) = match stack(ParentCheck::Verify) {
            Ok(disk) => (Ok(()), disk),
            Err(error) if refused == IfRefused::Leave => return Ok(Restarted { found, opened: Err(error) }),
            Err(error) => (Err(error), stack(ParentCheck::Adopt)?),
        };
        self.disk = disk;
        Ok(Restarted { found, opened })
    }
}
