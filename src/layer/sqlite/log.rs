//! A log as its bytes have it, read without SQLite: which pages it has, and where it ends.
//!
//! [`seal`](super::seal) has the rule for its last transaction.

use std::collections::BTreeSet;
use std::path::Path;

use super::journal;
use super::seal::{self, Seal};
use crate::error::{Error, Result};
use crate::layer::{FileSystem, Wanted};

/// What a log begins with: its sums are over little-endian words, or big-endian ones.
const LITTLE: u32 = 0x377f_0682;
const BIG: u32 = 0x377f_0683;
/// Bytes of the head of a log, and of the head of each of its frames.
pub(super) const LOG_HEAD: usize = 32;
pub(super) const FRAME_HEAD: usize = 24;

/// The committed part of a log: its frames are whole, and follow one another, up to a commit.
#[derive(Default)]
pub(super) struct Committed {
    /// The pages that are in it.
    pub(super) pages: BTreeSet<u64>,
    /// How many pages the database has by the last commit, if there is one.
    pub(super) page_count: Option<u64>,
    /// Where the last transaction begins, in bytes, if it was cut short in a way that SQLite does not see.
    pub(super) torn_at: Option<u64>,
}

/// A transaction, or what there is of one.
#[derive(Default)]
struct Transaction {
    pages: Vec<u64>,
    /// How many pages the database has by its commit.
    page_count: Option<u64>,
    digests: Vec<seal::Frame>,
    start: u64,
}

impl Committed {
    /// Reads the log of a file frame by frame, so that a long one takes no memory; there may be none.
    ///
    /// # Errors
    ///
    /// Those of reading the file.
    pub(super) fn read(path: &Path, files: &dyn FileSystem) -> Result<Self> {
        let failed = |e| Error::from_io(format!("reading {}", path.display()), e);
        let len = journal::len_of(path, files)?;
        if len < LOG_HEAD as u64 {
            return Ok(Self::default());
        }
        let (file, _) = files.open(path, Wanted::Reading).map_err(failed)?;
        Self::of(len, |buf, at| file.read_exact_at(buf, at)).map_err(failed)
    }

    /// The same of `len` bytes that `read` reads.
    ///
    /// # Errors
    ///
    /// Those of reading.
    pub(super) fn of<E>(len: u64, mut read: impl FnMut(&mut [u8], u64) -> Result<(), E>) -> Result<Self, E> {
        let mut committed = Self::default();
        let mut head = [0; LOG_HEAD];
        if len < LOG_HEAD as u64 {
            return Ok(committed);
        }
        read(&mut head, 0)?;
        let Some((order, mut sum)) = begin(&head) else { return Ok(committed) };
        let mut frame = vec![0; FRAME_HEAD + word(&head, 8).unwrap_or(0) as usize];
        let mut last = Transaction::default();
        let mut running = Transaction { start: LOG_HEAD as u64, ..Transaction::default() };
        let mut at = running.start;
        while at + frame.len() as u64 <= len {
            read(&mut frame, at)?;
            sum = sum.over(&frame[..8], order).over(&frame[FRAME_HEAD..], order);
            if frame[8..16] != head[16..24] || !sum.is_at(&frame[16..24]) {
                break;
            }
            at += frame.len() as u64;
            running.pages.extend(word(&frame, 0).map(u64::from));
            running.digests.push(seal::Frame::of(&frame[..FRAME_HEAD], &frame[FRAME_HEAD..]));
            if let Some(count @ 1..) = word(&frame, 4) {
                running.page_count = Some(count.into());
                let next = Transaction { start: at, ..Transaction::default() };
                committed.take(std::mem::replace(&mut last, std::mem::replace(&mut running, next)));
            }
        }
        let end = running.start;
        let mut behind = [0; Seal::LEN];
        let is_whole = match end + Seal::LEN as u64 <= len && last.page_count.is_some() {
            true => {
                read(&mut behind, end)?;
                let mut name = [0; Seal::NAME.len()];
                read(&mut name, len - Seal::NAME.len() as u64)?;
                let is_ours = end + Seal::LEN as u64 == len || name == Seal::NAME;
                seal::is_whole(&last.digests, &head[16..24], &behind, is_ours)
            }
            false => true,
        };
        match is_whole {
            true => committed.take(last),
            false => committed.torn_at = Some(last.start),
        }
        Ok(committed)
    }

    fn take(&mut self, transaction: Transaction) {
        self.pages.extend(transaction.pages);
        self.page_count = transaction.page_count.or(self.page_count);
    }
}

/// How four bytes are a word.
pub(super) type Order = fn([u8; 4]) -> u32;

/// Whether it begins as a log does.
pub(super) fn has_magic(head: &[u8]) -> bool {
    matches!(word(head, 0), Some(LITTLE | BIG))
}

/// The order of bytes in the words of a log with that head, and the sum to begin with; none if it is no head.
pub(super) fn begin(head: &[u8; LOG_HEAD]) -> Option<(Order, Sum)> {
    let order: Order = match word(head, 0) {
        Some(LITTLE) => u32::from_le_bytes,
        Some(BIG) => u32::from_be_bytes,
        _ => return None,
    };
    let page_size = word(head, 8)?;
    let sum = Sum(0, 0).over(&head[..24], order);
    let is_sane = page_size.is_power_of_two() && (512..=65536).contains(&page_size) && sum.is_at(&head[24..]);
    is_sane.then_some((order, sum))
}

/// The sum that runs through a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u32, pub(super) u32);

impl Sum {
    pub(super) fn over(self, bytes: &[u8], order: Order) -> Self {
        let Self(mut even, mut odd) = self;
        for pair in bytes.chunks_exact(8) {
            even = even.wrapping_add(order([pair[0], pair[1], pair[2], pair[3]])).wrapping_add(odd);
            odd = odd.wrapping_add(order([pair[4], pair[5], pair[6], pair[7]])).wrapping_add(even);
        }
        Self(even, odd)
    }

    /// The sum that stands there.
    pub(super) fn at(bytes: &[u8; 8]) -> Self {
        let [one, other] =
            [[0, 1, 2, 3], [4, 5, 6, 7]].map(|place| u32::from_be_bytes(place.map(|at: usize| bytes[at])));
        Self(one, other)
    }

    pub(super) fn bytes(self) -> [u8; 8] {
        (u64::from(self.0) << 32 | u64::from(self.1)).to_be_bytes()
    }

    fn is_at(self, bytes: &[u8]) -> bool {
        word(bytes, 0) == Some(self.0) && word(bytes, 4) == Some(self.1)
    }
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head that is right but for what is asked.
    fn head(magic: u32, page_size: u32, order: Order) -> [u8; LOG_HEAD] {
        let mut head = [0; LOG_HEAD];
        head[..4].copy_from_slice(&magic.to_be_bytes());
        head[8..12].copy_from_slice(&page_size.to_be_bytes());
        let Sum(one, other) = Sum(0, 0).over(&head[..24], order);
        head[24..28].copy_from_slice(&one.to_be_bytes());
        head[28..].copy_from_slice(&other.to_be_bytes());
        head
    }

    #[test]
    fn a_log_begins_with_a_size_of_pages_that_there_is_and_its_sum() {
        let begins = |magic, order: Order| {
            [256, 512, 1000, 65536, 131_072].map(|page_size| begin(&head(magic, page_size, order)).is_some())
        };
        assert_eq!(begins(0x377f_0682, u32::from_le_bytes), [false, true, false, true, false]);
        assert_eq!(begins(0x377f_0683, u32::from_be_bytes), [false, true, false, true, false]);
        assert_eq!(begins(0x377f_0684, u32::from_be_bytes), [false; 5]);
        assert_eq!(begins(0x377f_0682, u32::from_be_bytes), [false; 5], "a sum in the other order");
    }
}
