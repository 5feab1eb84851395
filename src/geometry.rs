//! The size of a disk, and the one place where a request is judged against it (rules 1 to 3).

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};

/// The smallest sector, in bytes.
pub const MIN_SECTOR_SIZE: u32 = 512;
/// The largest sector, in bytes.
pub const MAX_SECTOR_SIZE: u32 = 64 * 1024;

/// How many sectors a disk has, and how large each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    sector_count: u64,
    sector_size: u32,
}

impl Geometry {
    /// A disk of `sector_count` sectors of `sector_size` bytes.
    ///
    /// # Errors
    ///
    /// `InvalidGeometry` if the sector size is not a power of two from 512 bytes to 64 KiB, or the disk has no
    /// sector or more than `i64::MAX` bytes.
    pub fn new(sector_count: u64, sector_size: u32) -> Result<Self> {
        let invalid = |what: String| Err(Error::new(ErrorKind::InvalidGeometry, what));
        if !sector_size.is_power_of_two() || !(MIN_SECTOR_SIZE..=MAX_SECTOR_SIZE).contains(&sector_size) {
            return invalid(format!("a sector of {sector_size} bytes (a power of two from 512 to 65536 is possible)"));
        }
        match sector_count.checked_mul(u64::from(sector_size)) {
            Some(1..=0x7fff_ffff_ffff_ffff) => Ok(Self { sector_count, sector_size }),
            _ => invalid(format!("a disk of {sector_count} sectors of {sector_size} bytes (1 byte to i64::MAX)")),
        }
    }

    /// A disk of `len` bytes.
    ///
    /// # Errors
    ///
    /// `InvalidGeometry` as for [`Geometry::new`], or if `len` is not a whole number of sectors.
    pub fn from_len(len: u64, sector_size: u32) -> Result<Self> {
        if sector_size != 0 && !len.is_multiple_of(u64::from(sector_size)) {
            let what = format!("a disk of {len} bytes, which is not a whole number of sectors of {sector_size} bytes");
            return Err(Error::new(ErrorKind::InvalidGeometry, what));
        }
        Self::new(len / u64::from(sector_size.max(1)), sector_size)
    }

    /// Number of sectors.
    pub fn sector_count(&self) -> u64 {
        self.sector_count
    }

    /// Bytes in a sector.
    pub fn sector_size(&self) -> u32 {
        self.sector_size
    }

    /// Bytes in the disk.
    pub fn len(&self) -> u64 {
        self.sector_count * u64::from(self.sector_size)
    }

    /// Never: a disk has at least one sector.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The sectors of a request with a buffer of `len` bytes at `sector`; an empty range succeeds and does nothing.
    ///
    /// # Errors
    ///
    /// `Misaligned`, then `OutOfRange` (rule 3 gives this order).
    pub fn check_buffer(&self, sector: u64, len: usize) -> Result<Range<u64>> {
        let size = self.sector_size as usize;
        if !len.is_multiple_of(size) && !planted(Fault::PartialSectorAccepted) {
            let what = format!("a buffer of {len} bytes on a disk with sectors of {size}");
            return Err(Error::new(ErrorKind::Misaligned, what).at_sector(sector));
        }
        self.check_range(sector, (len / size) as u64)
    }

    /// The sectors of a request for `count` sectors at `sector`; an empty range succeeds and does nothing.
    ///
    /// # Errors
    ///
    /// `OutOfRange`.
    pub fn check_range(&self, sector: u64, count: u64) -> Result<Range<u64>> {
        let end = match planted(Fault::BoundsWrapAround) {
            false => sector.checked_add(count),
            true => Some(sector.wrapping_add(count)),
        };
        let limit = self.sector_count - u64::from(planted(Fault::LastSectorRefused));
        match end {
            Some(end) if end <= limit => Ok(sector..end),
            _ => {
                let what = format!("{count} sectors at {sector} on a disk of {}", self.sector_count);
                Err(Error::new(ErrorKind::OutOfRange, what).at_sector(sector))
            }
        }
    }

    /// The bytes that `part` has in the buffer of a request that begins at `start`.
    pub fn bytes(&self, start: u64, part: &Range<u64>) -> Range<usize> {
        let size = u64::from(self.sector_size);
        ((part.start - start) * size) as usize..((part.end - start) * size) as usize
    }
}
