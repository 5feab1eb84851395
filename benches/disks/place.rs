//! Where the disks lie during a run: those that were filled before, and the one that is being measured.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::disk::{Disk, Layering, Result, System};
use super::plan::{MIB, STRIPE, layer_of_three};
use super::raw::Raw;
use super::{stamp, systems};

/// A directory, and the size of all disks in it.
pub(crate) struct Place {
    root: PathBuf,
    pub size: u64,
}

impl Place {
    pub(crate) fn new(root: &Path, size: u64) -> Self {
        Self { root: root.to_owned(), size }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The image that is imported and cached.
    pub(crate) fn image(&self) -> PathBuf {
        self.root.join("image")
    }

    /// A disk of the system whose every sector has version 0.
    pub(crate) fn filled(&self, system: &str) -> PathBuf {
        self.root.join(format!("{system}.filled"))
    }

    /// The layers over the filled disk, the top first; only one, with everything, if the system has none.
    pub(crate) fn layers(&self, system: &str) -> Vec<PathBuf> {
        match systems::by_name(system).layering() {
            Layering::Layers => {
                ["top", "middle", "filled"].map(|name| self.root.join(format!("{system}.{name}"))).into()
            }
            Layering::Flat => vec![self.root.join(format!("{system}.flat"))],
        }
    }

    /// The file of the disk that is being measured; it has a directory of its own.
    pub(crate) fn fresh(&self) -> Result<PathBuf> {
        let directory = self.root.join("fresh");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir(&directory)?;
        Ok(directory.join("disk"))
    }

    /// Bytes that the files beside the measured one take, itself included.
    pub(crate) fn stored(&self) -> Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(self.root.join("fresh"))? {
            bytes += allocated(&entry?.metadata()?);
        }
        Ok(bytes)
    }

    /// Makes what the measurements of `system` start from.
    pub(crate) fn prepare(&self, system: &str) -> Result<()> {
        if !self.image().exists() {
            fill(Raw.create(&self.image(), self.size)?, self.size)?;
        }
        let makes = systems::by_name(system);
        fill(makes.create(&self.filled(system), self.size)?, self.size)?;
        self.prepare_layers(system, &*makes)?;
        for entry in fs::read_dir(&self.root)? {
            sync(&entry?.path())?;
        }
        Ok(())
    }

    fn prepare_layers(&self, system: &str, makes: &dyn System) -> Result<()> {
        match (makes.layering(), &self.layers(system)[..]) {
            (Layering::Layers, [top, middle, filled]) => {
                let below = [middle.clone(), filled.clone()];
                for (version, path, below) in [(1, middle, &below[1..]), (2, top, &below[..])] {
                    let mut disk = makes.create_over(path, below, self.size)?;
                    self.write_part(&mut *disk, version)?;
                    disk.close()?;
                }
            }
            (_, paths) => {
                fs::copy(self.filled(system), &paths[0])?;
                let mut disk = makes.open(&paths[0], self.size)?;
                self.write_part(&mut *disk, 1)?;
                self.write_part(&mut *disk, 2)?;
                disk.close()?;
            }
        }
        Ok(())
    }

    /// Writes what one of three layers holds.
    fn write_part(&self, disk: &mut dyn Disk, layer: u64) -> Result<()> {
        let mut buf = stamp::buffer(STRIPE as usize);
        for at in (0..self.size).step_by(STRIPE as usize).filter(|&at| layer_of_three(at) == layer) {
            stamp::stamp(&mut buf, at, layer);
            disk.write(at, &buf)?;
        }
        disk.flush()
    }
}

/// Copies a disk; afterwards nothing of it waits to be written.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)?;
    sync(to)
}

fn sync(path: &Path) -> Result<()> {
    Ok(OpenOptions::new().write(true).open(path)?.sync_all()?)
}

fn fill(mut disk: Box<dyn Disk>, size: u64) -> Result<()> {
    let mut buf = stamp::buffer(MIB as usize);
    for at in (0..size).step_by(MIB as usize) {
        stamp::stamp(&mut buf, at, 0);
        disk.write(at, &buf)?;
    }
    disk.flush()?;
    disk.close()
}

/// Holes are not counted, where the system tells.
fn allocated(metadata: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(metadata) * 512;
    #[cfg(not(unix))]
    return metadata.len();
}
