//! Where a generator's decisions come from: a seed here, the bytes of a fuzzer elsewhere.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A source of decisions.
pub trait Choices {
    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64;

    /// A number from `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Yes, in so many of a hundred cases.
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, by weight; the weights' sum is not 0.
    fn weighted<T: Copy>(&mut self, items: &[(u64, T)]) -> T
    where
        Self: Sized,
    {
        let mut at = self.below(items.iter().map(|(weight, _)| weight).sum());
        for &(weight, item) in items {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return item,
            }
        }
        items[0].1
    }
}

/// Decisions drawn from a seed; the same seed makes the same decisions.
pub struct SeedChoices(Pcg64Mcg);

impl SeedChoices {
    /// The decisions of `case` under `seed`.
    pub fn new(seed: u64, case: u64) -> Self {
        let mut state = [0; 16];
        state[..8].copy_from_slice(&seed.to_le_bytes());
        state[8..].copy_from_slice(&case.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let mut pcg = Pcg64Mcg::from_seed(state);
        // Neighbouring seeds differ in few bits; a few rounds spread them.
        for _ in 0..4 {
            let _ = pcg.next_u64();
        }
        Self(pcg)
    }
}

impl Choices for SeedChoices {
    fn below(&mut self, bound: u64) -> u64 {
        // Lemire, "Fast Random Integer Generation in an Interval" (2019), without the rejection: the bias is 2^-64 * bound.
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}
