//! A seal behind each transaction of the log, which tells whether the transaction is whole.
//!
//! SQLite knows a torn write by its sum over the frames: words weighted by Fibonacci's numbers, modulo 2^32. These
//! numbers repeat, modulo 256 after 384, and three equal changes of the highest byte of words that lie 512 bytes apart
//! cancel one another: F(n) + F(n + 128) + F(n + 256) is a multiple of 256 for every n. A write that lost just the
//! three sectors in which such bytes were new passes for whole, and a request is there in part. The harness found it,
//! four times in four million power cuts (`tests/scripts/torn-log-*.script`).
//!
//! So whoever writes through the gate puts [`Seal::LEN`] bytes behind the frame that commits, in the same write:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | zeros: for SQLite a frame of page 0, which ends its log |
//! | 4..8 | the first bytes of the hash |
//! | 8..16 | the salts of the log, where a frame has them too |
//! | 16..24 | the next bytes of the hash |
//! | 24..32 | `dbhdseal` |
//!
//! The hash is XXH3-128, as 16 bytes with the lowest first, of two numbers of 8 bytes, lowest first, for each frame of
//! the transaction: XXH3-64 of its head, and of its page.
//!
//! The next transaction begins where the seal lies, and is written once this one is synced. So of the last transaction:
//!
//! - A seal with these salts says by its hash whether it is whole. One half is enough: the edge of a sector may lie in
//!   a seal, and one side of it may be of the next transaction already.
//! - A frame with these salts says that it is whole: the next one has begun.
//! - Neither of them: the seal is lost, and so may be any part of the write that it was in; or another program wrote
//!   this, and seals nothing. It is ours, and not whole, if the log ends where its seal would, or ends with a seal.
//!
//! What is not whole was never acknowledged. The gate hides it from SQLite, which writes over it.

use twox_hash::{XxHash3_64, XxHash3_128};

use super::log::{self, FRAME_HEAD, LOG_HEAD};
use crate::fault::{Fault, planted};

/// SQLite's limit.
const LONGEST_PAGE: u64 = 65536;

/// What lies behind a transaction.
pub(super) struct Seal;

impl Seal {
    /// Its bytes.
    pub(super) const LEN: usize = 32;
    /// Its last bytes.
    pub(super) const NAME: [u8; 8] = *b"dbhdseal";
}

/// The hashes of a frame: of its head, and of its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    head: u64,
    page: u64,
}

impl Frame {
    pub(super) fn of(head: &[u8], page: &[u8]) -> Self {
        Self { head: XxHash3_64::oneshot(head), page: XxHash3_64::oneshot(page) }
    }
}

fn hash(frames: &[Frame]) -> [u8; 16] {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| [frame.head, frame.page]).flat_map(u64::to_le_bytes).collect();
    XxHash3_128::oneshot(&bytes).to_le_bytes()
}

fn seal(frames: &[Frame], salts: [u8; 8]) -> [u8; Seal::LEN] {
    let hash = hash(frames);
    let mut seal = [0; Seal::LEN];
    seal[4..8].copy_from_slice(&hash[..4]);
    seal[8..16].copy_from_slice(&salts);
    seal[16..24].copy_from_slice(&hash[4..12]);
    seal[24..].copy_from_slice(&Seal::NAME);
    seal
}

/// Whether the last transaction is whole, with these bytes behind it, in a log that is ours or may be another's.
pub(super) fn is_whole(frames: &[Frame], salts: &[u8], behind: &[u8; Seal::LEN], is_ours: bool) -> bool {
    let right = hash(frames);
    match (&behind[8..16] == salts, behind[..4] == [0; 4]) {
        _ if planted(Fault::SealIgnored) => true,
        (true, true) => behind[4..8] == right[..4] || behind[16..24] == right[4..12],
        (true, false) => true,
        (false, _) => !is_ours,
    }
}

/// The transaction that is being written, and its seal.
#[derive(Debug, Default)]
pub(super) struct Sealer {
    /// Frames by where they begin, in that order.
    frames: Vec<(u64, Frame)>,
    salts: [u8; 8],
    /// Bytes of a page, once that is known.
    page_size: Option<u64>,
    /// Where the frame begins that commits, once it is there.
    commit: Option<u64>,
    is_sealed: bool,
}

impl Sealer {
    /// Bytes go to the log at `offset`: its head, the head of a frame, or a page.
    pub(super) fn written(&mut self, data: &[u8], offset: u64) {
        if data.len() == FRAME_HEAD {
            self.head(data, offset);
        } else if data.len() == LOG_HEAD {
            self.page_size = log::word(data, 8).map(u64::from);
        } else if let Some(frame) = offset.checked_sub(FRAME_HEAD as u64).and_then(|head| self.frame(head)) {
            frame.page = XxHash3_64::oneshot(data);
            self.page_size = Some(data.len() as u64);
        }
        self.is_sealed = false;
    }

    fn head(&mut self, head: &[u8], offset: u64) {
        if self.end() == Some(offset) {
            // Another transaction follows at once.
            self.forget();
        }
        self.salts.copy_from_slice(&head[8..16]);
        let place = self.frames.partition_point(|(at, _)| *at < offset);
        if self.frames.get(place).is_none_or(|(at, _)| *at != offset) {
            self.frames.insert(place, (offset, Frame::default()));
        }
        self.frames[place].1.head = XxHash3_64::oneshot(head);
        if head[4..8] != [0; 4] {
            self.commit = Some(offset);
        }
    }

    fn frame(&mut self, head: u64) -> Option<&mut Frame> {
        let place = self.frames.binary_search_by_key(&head, |(at, _)| *at).ok()?;
        self.frames.get_mut(place).map(|(_, frame)| frame)
    }

    fn end(&self) -> Option<u64> {
        Some(self.commit? + FRAME_HEAD as u64 + self.page_size?)
    }

    /// The seal of a transaction that was committed and is not sealed yet, and where it goes.
    pub(super) fn seal(&self) -> Option<(u64, [u8; Seal::LEN])> {
        let end = self.end().filter(|_| !self.is_sealed)?;
        // What was undone may lie behind the frame that commits.
        let whole = self.frames.partition_point(|(at, _)| *at < end);
        let skipped = usize::from(planted(Fault::SealMissesFirstFrame) && whole > 1);
        let frames: Vec<Frame> = self.frames[skipped..whole].iter().map(|(_, frame)| *frame).collect();
        Some((end, seal(&frames, self.salts)))
    }

    /// The seal is where it goes.
    pub(super) fn sealed(&mut self) {
        self.is_sealed = true;
    }

    /// Bytes that a frame and its seal take together, or more.
    pub(super) fn room(&self) -> usize {
        FRAME_HEAD + self.page_size.unwrap_or(LONGEST_PAGE) as usize + Seal::LEN
    }

    /// The transaction is over.
    pub(super) fn forget(&mut self) {
        self.frames.clear();
        self.commit = None;
        self.is_sealed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::Sum;
    use super::*;

    /// A page of which some sectors have a byte at the same place.
    fn page(sectors: &[usize], place: usize) -> Vec<u8> {
        let mut page = vec![0; 4096];
        sectors.iter().for_each(|sector| page[sector * 512 + place] = 0x59);
        page
    }

    #[test]
    fn what_the_sum_of_sqlite_does_not_see_the_seal_sees() {
        let sum = |page: &[u8]| Sum(1, 2).over(page, u32::from_le_bytes);
        let (old, new) = (page(&[], 511), page(&[4, 5, 6], 511));
        assert_eq!(sum(&old), sum(&new));
        assert_ne!(sum(&page(&[], 510)), sum(&page(&[4, 5, 6], 510)));
        assert_ne!(sum(&old), sum(&page(&[4, 5], 511)));
        let head = [0; FRAME_HEAD];
        let sealed = seal(&[Frame::of(&head, &new)], [7; 8]);
        assert!(is_whole(&[Frame::of(&head, &new)], &[7; 8], &sealed, true));
        assert!(!is_whole(&[Frame::of(&head, &old)], &[7; 8], &sealed, true));
    }

    #[test]
    fn what_lies_behind_a_transaction_says_whether_it_is_whole() {
        let frames = [Frame::of(&[1; FRAME_HEAD], &[2; 512]), Frame::of(&[3; FRAME_HEAD], &[4; 512])];
        let sealed = seal(&frames, [7; 8]);
        let with = |range: std::ops::Range<usize>, byte| {
            let mut changed = sealed;
            changed[range].fill(byte);
            changed
        };
        let is_whole = |behind: &[u8; Seal::LEN], is_ours| is_whole(&frames, &[7; 8], behind, is_ours);
        assert!(is_whole(&sealed, true) && is_whole(&sealed, false));
        // The next transaction has begun, as far as it got.
        assert!(is_whole(&with(0..8, 9), true) && is_whole(&with(16..24, 9), true));
        assert!(is_whole(&with(0..4, 9), true) && is_whole(&with(4..8, 9), true));
        // Of something else; lost; another program's.
        assert!(!is_whole(&seal(&frames[1..], [7; 8]), true));
        assert!(!is_whole(&[0; Seal::LEN], true));
        assert!(is_whole(&[0; Seal::LEN], false));
    }

    #[test]
    fn a_transaction_is_sealed_as_it_was_written_last() {
        let head = |commit: u8| {
            let mut head = [commit; FRAME_HEAD];
            head[4..8].fill(commit);
            head[8..16].fill(7);
            head
        };
        let mut sealer = Sealer::default();
        let write = |sealer: &mut Sealer, at: u64, commit, page: u8| {
            sealer.written(&head(commit), at);
            sealer.written(&[page; 512], at + 24);
            sealer.seal()
        };
        assert_eq!(write(&mut sealer, 32, 0, 1), None);
        assert_eq!(write(&mut sealer, 32 + 536, 0, 2), None);
        assert_eq!(write(&mut sealer, 32, 0, 3), None);
        let frames = [Frame::of(&head(0), &[3; 512]), Frame::of(&head(1), &[4; 512])];
        assert_eq!(write(&mut sealer, 32 + 536, 1, 4), Some((32 + 2 * 536, seal(&frames, [7; 8]))));
        // Another begins behind it.
        let frames = [Frame::of(&head(1), &[5; 512])];
        assert_eq!(write(&mut sealer, 32 + 2 * 536, 1, 5), Some((32 + 3 * 536, seal(&frames, [7; 8]))));
        sealer.sealed();
        assert_eq!(sealer.seal(), None);
        // Of three frames two are undone, and the first is written again and commits: what lies behind is not its own.
        sealer.forget();
        for at in [32, 32 + 536, 32 + 2 * 536] {
            assert_eq!(write(&mut sealer, at, 0, 6), None);
        }
        let frames = [Frame::of(&head(1), &[7; 512])];
        assert_eq!(write(&mut sealer, 32, 1, 7), Some((32 + 536, seal(&frames, [7; 8]))));
    }

    #[test]
    fn a_frame_has_room_with_its_seal_whatever_is_known_of_its_page() {
        let mut sealer = Sealer::default();
        assert_eq!(sealer.room(), FRAME_HEAD + LONGEST_PAGE as usize + Seal::LEN);
        sealer.written(&[0; FRAME_HEAD], 32);
        sealer.written(&[0; 512], 32 + 24);
        assert_eq!(sealer.room(), FRAME_HEAD + 512 + Seal::LEN);
    }
}
