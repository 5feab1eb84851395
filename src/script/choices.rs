//! Where a generator's decisions come from: a seed here, the bytes of a fuzzer elsewhere.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use twox_hash::XxHash3_64;

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
        // Hashed, for the generator ignores the lowest bits of its state.
        let half = |nth: u64| {
            let words = [seed, case, nth].map(u64::to_le_bytes);
            XxHash3_64::oneshot(words.as_flattened())
        };
        let mut state = [0; 16];
        state[..8].copy_from_slice(&half(0).to_le_bytes());
        state[8..].copy_from_slice(&half(1).to_le_bytes());
        Self(Pcg64Mcg::from_seed(state))
    }
}

impl Choices for SeedChoices {
    fn below(&mut self, bound: u64) -> u64 {
        // Lemire, "Fast Random Integer Generation in an Interval" (2019), without the rejection: the bias is 2^-64 * bound.
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}
