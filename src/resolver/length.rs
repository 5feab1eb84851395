//! Lengths as people write them: `512`, `64K`, `0x1000`, `1T`.

use std::fmt;

const UNITS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];

/// The number of bytes that `text` says, or why it says none.
pub(crate) fn parse(text: &str) -> Result<u64, &'static str> {
    let unit =
        |&(letter, shift): &(char, u32)| Some((text.strip_suffix([letter, letter.to_ascii_lowercase()])?, shift));
    let (number, shift) = UNITS.iter().find_map(unit).unwrap_or((text, 0));
    let (digits, radix) = match number.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err("a length is expected: digits or 0x and hexadecimal digits, then K, M, G, T or nothing");
    }
    u64::from_str_radix(digits, radix)
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or("the length is too large: it does not fit in 64 bits")
}

/// `len` in the largest unit that leaves nothing over.
pub(crate) struct Length(pub(crate) u64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0;
        match UNITS.iter().find(|(_, shift)| len > 0 && len.is_multiple_of(1 << shift)) {
            Some((letter, shift)) => write!(f, "{}{letter}", len >> shift),
            None => write!(f, "{len}"),
        }
    }
}
