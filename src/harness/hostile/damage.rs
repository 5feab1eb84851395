//! What is done to a file: one value for each damage, and what it does to the bytes.

use crate::layer::{Attack, Reached};
use crate::script::{Choices, SeedChoices};

/// Which of a disk's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The database.
    File,
    /// The log beside it.
    Log,
}

/// One damage. Places are bytes and pages (from 0) that may lie past the end; there nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each line says what its fields are")]
pub enum Damage {
    /// Bit `bit` of the byte at `at` is turned.
    Flip { part: Part, at: u64, bit: u8 },
    /// `len` bytes from `at` on are `byte`.
    Fill { part: Part, at: u64, len: u64, byte: u8 },
    /// `len` bytes from `at` on are drawn from `seed`.
    Noise { part: Part, at: u64, len: u64, seed: u64 },
    /// Four bytes from `at` on are `value`, as SQLite stores numbers.
    Number { part: Part, at: u64, value: u32 },
    /// Nothing from `at` on is left.
    Cut { part: Part, at: u64 },
    /// `len` more bytes, all of them `byte`.
    Grow { part: Part, len: u64, byte: u8 },
    /// Two pages (of the log: frames) change places.
    Swap { part: Part, one: u64, other: u64 },
    /// A page (of the log: frame) is overwritten with another.
    Copy { part: Part, from: u64, to: u64 },
    /// A journal appears that says that `pages` pages from the second on were other before; the page at `lie` is noise.
    Journal { pages: u32, lie: Option<u32> },
    /// A stranger does something with SQLite.
    Attack { attack: Attack, reached: Reached },
}

/// The files of a disk, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) file: Vec<u8>,
    pub(super) log: Vec<u8>,
    pub(super) journal: Vec<u8>,
}

impl Damage {
    /// Does it; an attack takes SQLite, and is done elsewhere.
    pub(super) fn strike(&self, files: &mut Files, sound: &[u8], page: usize) {
        match *self {
            Self::Flip { part, at, bit } => {
                if let Some(byte) = files.part(part).get_mut(at as usize) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Fill { part, at, len, byte } => range(files.part(part), at, len).fill(byte),
            Self::Noise { part, at, len, seed } => noise(range(files.part(part), at, len), seed),
            Self::Number { part, at, value } => {
                let place = range(files.part(part), at, 4);
                let len = place.len();
                place.copy_from_slice(&value.to_be_bytes()[..len]);
            }
            Self::Cut { part, at } => files.part(part).truncate(at as usize),
            Self::Grow { part, len, byte } => {
                let bytes = files.part(part);
                bytes.resize(bytes.len() + len.min(1 << 20) as usize, byte);
            }
            Self::Swap { part, one, other } => {
                let mut at = |number| files.page(part, number, page).to_vec();
                let (one_bytes, other_bytes) = (at(one), at(other));
                if one_bytes.len() == other_bytes.len() {
                    files.page(part, one, page).copy_from_slice(&other_bytes);
                    files.page(part, other, page).copy_from_slice(&one_bytes);
                }
            }
            Self::Copy { part, from, to } => {
                let bytes = files.page(part, from, page).to_vec();
                let place = files.page(part, to, page);
                if place.len() == bytes.len() {
                    place.copy_from_slice(&bytes);
                }
            }
            Self::Journal { pages, lie } => files.journal = journal(sound, pages, lie, page),
            Self::Attack { .. } => {}
        }
    }
}

impl Files {
    fn part(&mut self, part: Part) -> &mut Vec<u8> {
        match part {
            Part::File => &mut self.file,
            Part::Log => &mut self.log,
        }
    }

    fn page(&mut self, part: Part, number: u64, page: usize) -> &mut [u8] {
        let (head, size) = match part {
            Part::File => (0, page),
            Part::Log => (32, 24 + page),
        };
        let at = (number as usize).saturating_mul(size).saturating_add(head);
        range(self.part(part), at as u64, size as u64)
    }
}

fn range(bytes: &mut [u8], at: u64, len: u64) -> &mut [u8] {
    let start = bytes.len().min(usize::try_from(at).unwrap_or(usize::MAX));
    let end = bytes.len().min(start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)));
    &mut bytes[start..end]
}

fn noise(bytes: &mut [u8], seed: u64) {
    let mut choices = SeedChoices::new(seed, 1);
    bytes.fill_with(|| choices.below(256) as u8);
}

/// A journal as a killed program leaves it, with the pages of `sound`.
fn journal(sound: &[u8], pages: u32, lie: Option<u32>, size: usize) -> Vec<u8> {
    const NONCE: u32 = 7;
    let mut journal = vec![0; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    let fields = [pages, NONCE, (sound.len() / size) as u32, 512, size as u32];
    for (n, field) in fields.into_iter().enumerate() {
        journal[8 + 4 * n..12 + 4 * n].copy_from_slice(&field.to_be_bytes());
    }
    for page in (1..).take(pages as usize).take_while(|page| (page + 1) * size <= sound.len()) {
        let mut data = sound[page * size..][..size].to_vec();
        if lie == Some(page as u32) {
            noise(&mut data, u64::from(NONCE));
        }
        journal.extend((page as u32 + 1).to_be_bytes());
        journal.extend(&data);
        journal.extend(sum_of(&data, NONCE).to_be_bytes());
    }
    journal
}

/// SQLite's sum over every 200th byte, from the end.
fn sum_of(data: &[u8], nonce: u32) -> u32 {
    let (mut sum, mut at) = (nonce, data.len() - 200);
    while at > 0 {
        sum = sum.wrapping_add(u32::from(data[at]));
        at = at.saturating_sub(200);
    }
    sum
}
