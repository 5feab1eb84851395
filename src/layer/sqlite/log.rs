//! Which pages the log of a file has, read without SQLite, which does not tell.

use std::collections::BTreeSet;

/// The pages in the committed part of a log: its frames are whole, and follow one another, up to a commit.
pub(super) fn committed_pages(log: &[u8]) -> BTreeSet<u64> {
    let (mut pages, mut waiting) = (BTreeSet::new(), Vec::new());
    let (Some(head), Some(magic), Some(page_size)) = (log.get(..32), word(log, 0), word(log, 8)) else { return pages };
    let order = match magic {
        0x377f_0682 => u32::from_le_bytes,
        0x377f_0683 => u32::from_be_bytes,
        _ => return pages,
    };
    let mut sum = Sum(0, 0).over(&head[..24], order);
    if !page_size.is_power_of_two() || !sum.is_at(&head[24..]) {
        return pages;
    }
    for frame in log[32..].chunks_exact(24 + page_size as usize) {
        sum = sum.over(&frame[..8], order).over(&frame[24..], order);
        if frame[8..16] != head[16..24] || !sum.is_at(&frame[16..24]) {
            break;
        }
        waiting.extend(word(frame, 0).map(u64::from));
        if word(frame, 4) != Some(0) {
            pages.extend(waiting.drain(..));
        }
    }
    pages
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
