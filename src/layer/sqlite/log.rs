//! Which pages the log of a file has, read without SQLite, which does not tell.

use std::collections::BTreeSet;
use std::path::Path;

use super::journal;
use crate::error::{Error, Result};
use crate::layer::{FileSystem, Wanted};

/// The committed part of a log: its frames are whole, and follow one another, up to a commit.
#[derive(Default)]
pub(super) struct Committed {
    /// The pages that are in it.
    pub(super) pages: BTreeSet<u64>,
    /// How many pages the database has by the last commit, if there is one.
    pub(super) page_count: Option<u64>,
}

impl Committed {
    /// Reads it frame by frame, so that a long one takes no memory; there may be none.
    ///
    /// # Errors
    ///
    /// Those of reading the file.
    pub(super) fn read(path: &Path, files: &dyn FileSystem) -> Result<Self> {
        let failed = |e| Error::from_io(format!("reading {}", path.display()), e);
        let (mut committed, mut waiting) = (Self::default(), Vec::new());
        let (len, mut head) = (journal::len_of(path, files)?, [0; 32]);
        if len < 32 {
            return Ok(committed);
        }
        let (file, _) = files.open(path, Wanted::Reading).map_err(failed)?;
        file.read_exact_at(&mut head, 0).map_err(failed)?;
        let order = match word(&head, 0) {
            Some(0x377f_0682) => u32::from_le_bytes,
            Some(0x377f_0683) => u32::from_be_bytes,
            _ => return Ok(committed),
        };
        let page_size = word(&head, 8).unwrap_or(0);
        let mut sum = Sum(0, 0).over(&head[..24], order);
        if !page_size.is_power_of_two() || page_size > 65536 || !sum.is_at(&head[24..]) {
            return Ok(committed);
        }
        let mut frame = vec![0; 24 + page_size as usize];
        let frames = (len - 32) / frame.len() as u64;
        for number in 0..frames {
            let at = 32 + number * frame.len() as u64;
            file.read_exact_at(&mut frame, at).map_err(failed)?;
            sum = sum.over(&frame[..8], order).over(&frame[24..], order);
            if frame[8..16] != head[16..24] || !sum.is_at(&frame[16..24]) {
                break;
            }
            waiting.extend(word(&frame, 0).map(u64::from));
            if let Some(count @ 1..) = word(&frame, 4) {
                committed.pages.extend(waiting.drain(..));
                committed.page_count = Some(count.into());
            }
        }
        Ok(committed)
    }
}

/// The sum that runs through a log.
#[derive(Clone, Copy)]
struct Sum(u32, u32);

impl Sum {
    fn over(self, bytes: &[u8], order: fn([u8; 4]) -> u32) -> Self {
        let words = bytes.chunks_exact(4).map(|word| order([word[0], word[1], word[2], word[3]]));
        let Self(mut even, mut odd) = self;
        for (number, word) in words.enumerate() {
            match number % 2 {
                0 => even = even.wrapping_add(word).wrapping_add(odd),
                _ => odd = odd.wrapping_add(word).wrapping_add(even),
            }
        }
        Self(even, odd)
    }

    fn is_at(self, bytes: &[u8]) -> bool {
        word(bytes, 0) == Some(self.0) && word(bytes, 4) == Some(self.1)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
