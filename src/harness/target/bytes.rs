//! Decisions from bytes, so that a small change of the bytes is a small change of what is decided.

use twox_hash::XxHash3_64;

use crate::script::{Choices, SeedChoices};

/// Decisions read from bytes: one byte for each up to 256 possibilities. When they are used up, the rest is drawn from a
/// hash of them.
pub(super) struct ByteChoices<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
    drawn: Option<SeedChoices>,
}

impl<'a> ByteChoices<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes, rest: bytes, drawn: None }
    }
}

impl Choices for ByteChoices<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        let len = (u64::BITS - (bound - 1).leading_zeros()).div_ceil(8) as usize;
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            self.rest = &[];
            let hash = || SeedChoices::new(XxHash3_64::oneshot(self.whole), 0);
            return self.drawn.get_or_insert_with(hash).below(bound);
        };
        self.rest = rest;
        let value = bytes.iter().fold(0_u128, |value, byte| value << 8 | u128::from(*byte));
        // Fuzzers like bytes of 0x00 and 0xff, and what is rare is decided at the ends: those become the middle.
        let middle = 1 << (8 * len) >> 1;
        // In proportion, not modulo: the next byte is the same decision or the next one.
        (((value ^ middle) * u128::from(bound)) >> (8 * len)) as u64
    }
}

/// Up to `len` bytes from the start of `bytes`, and the others.
pub(super) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    taken
}
