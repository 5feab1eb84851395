//! How often each number was met, as far as a median needs it.

/// Numbers up to 63 count exactly; above, by powers of two.
const BUCKETS: usize = 128;

/// Numbers that were met, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    pub(super) fn note(&mut self, number: u64) {
        self.0[if number < 64 { number as usize } else { 64 + number.ilog2() as usize }] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(to, from)| *to += from);
    }

    /// The numbers that were met, and how often; above 63 the power of two below.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let number = |bucket: usize| if bucket < 64 { bucket as u64 } else { 1 << (bucket - 64) };
        self.0.iter().enumerate().filter(|(_, times)| **times > 0).map(move |(bucket, times)| (number(bucket), *times))
    }

    /// The median; above 63 the power of two below it, and 0 if nothing was met.
    pub fn median(&self) -> u64 {
        let half = self.0.iter().sum::<u64>().div_ceil(2);
        let mut so_far = 0;
        let bucket = self.0.iter().position(|count| {
            so_far += count;
            so_far >= half
        });
        match bucket.unwrap_or(0) as u64 {
            exact @ 0..64 => exact,
            log => 1 << (log - 64),
        }
    }
}
