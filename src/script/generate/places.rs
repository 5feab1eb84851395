//! Where requests go, and how long they are: to ends, to what was touched before, one either side of each.

use super::{Author, Bias};
use crate::script::Choices;

impl Author {
    /// Where a request goes on a layer or disk of `size` sectors, and how long it is.
    pub(super) fn range(&mut self, size: u64, longest: u64, choices: &mut impl Choices) -> (u64, u64) {
        if self.profile.bias == Bias::Uniform {
            let sector = choices.below(size);
            return (sector, choices.between(1, (size - sector).min(8)));
        }
        if choices.percent(1) {
            // The count of a buffer is small; that of an unmap may be anything.
            let count = if longest == u64::MAX { u64::MAX - choices.below(4) } else { choices.below(9) };
            return (u64::MAX - choices.below(9), count);
        }
        let count = self.count(size, longest, choices);
        let anchor = self.anchor(size, choices);
        let before = match choices.below(3) {
            0 => 0,
            1 => count,
            _ => choices.below(count + 1),
        };
        let mut sector = anchor.saturating_sub(before);
        match choices.below(8) {
            0 => sector = sector.saturating_sub(1),
            1 => sector = sector.saturating_add(1),
            _ => {}
        }
        // Most requests lie inside; what sticks out is refused, and tells little more the tenth time.
        if choices.percent(96) {
            sector = sector.min(size.saturating_sub(count));
        }
        self.recent.push((sector, count));
        (sector, count)
    }

    fn count(&self, size: u64, longest: u64, choices: &mut impl Choices) -> u64 {
        let long = if self.likes.sixty_four { 6 } else { 1 };
        // What has no buffer may be as long as the disk.
        let whole = if longest == u64::MAX { 12 } else { 1 };
        let count = match choices.weighted(&[(3, 0), (32, 1), (44, 2), (14, 3), (long, 4), (whole, 5)]) {
            0 => 0,
            1 => 1,
            2 => choices.between(2, 8),
            3 => choices.between(9, 40),
            4 => choices.between(60, 200),
            _ => size - choices.below(size / 2 + 1),
        };
        count.min(size).min(longest)
    }

    /// The place that a request lies around.
    fn anchor(&self, size: u64, choices: &mut impl Choices) -> u64 {
        if self.likes.recent && !self.recent.is_empty() && choices.percent(45) {
            let back = choices.below(self.recent.len().min(4) as u64) as usize;
            let (sector, count) = self.recent[self.recent.len() - 1 - back];
            return sector.saturating_add(choices.below(count.saturating_add(1)));
        }
        match choices.below(10) {
            0 if self.likes.ends => 0,
            1..=4 if self.likes.ends => self.sizes[choices.below(self.sizes.len() as u64) as usize],
            5 if self.likes.sixty_four => choices.below(size / 64 + 1) * 64,
            6 | 7 if self.likes.units => choices.below(size / self.unit + 1) * self.unit,
            _ if size > 1 << 32 => choices.below(size >> 32) << 32,
            _ => choices.below(size),
        }
    }
}
