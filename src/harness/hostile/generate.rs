//! Cases drawn from a seed: few sound files, and many ways to damage them, more often where something hangs on it.

use super::damage::{Damage, Part};
use super::original::{Kind, Recipe};
use super::text::Case;
use crate::layer::{Attack, Effect, Format, Reached};
use crate::script::{Choices, SeedChoices};

/// Sound files are made once and damaged many times.
const RECIPES: u64 = 96;

impl Recipe {
    /// One of the sound files that `seed` makes.
    fn draw(seed: u64, number: u64) -> Self {
        let mut choices = SeedChoices::new(seed, number.wrapping_add(1 << 60));
        let (sector_size, most) =
            choices.weighted(&[(6, (512, 120)), (2, (512, 400)), (3, (4096, 40)), (1, (65536, 4))]);
        let recipe = Self {
            sector_size,
            sector_count: choices.between(1, most),
            seed: choices.below(1 << 20),
            flushes: choices.weighted(&[(4, 0), (2, 1), (2, 3), (1, 6)]),
            kind: choices.weighted(&[(3, Kind::Whole), (1, Kind::Child)]),
            format: Format::Original,
            page_size: Self::PAGE_SIZE,
        };
        match choices.percent(50) {
            true => Self {
                format: Format::One,
                // Small ones make many clusters of few sectors; a sector has at most 16.
                page_size: choices
                    .weighted(&[(4, 512), (2, 1024), (5, Self::PAGE_SIZE), (1, 16384)])
                    .max(sector_size / 16),
                ..recipe
            },
            false => recipe,
        }
    }
}

impl Case {
    /// Case `number` under `seed`.
    pub fn draw(seed: u64, number: u64) -> Self {
        let mut choices = SeedChoices::new(seed, number);
        let recipe = Recipe::draw(seed, choices.below(RECIPES));
        let damages = special(&recipe, &mut choices).unwrap_or_else(|| {
            let count = choices.weighted(&[(60, 1), (25, 2), (10, 3), (5, 6)]);
            (0..count).map(|_| damage(&recipe, &mut choices)).collect()
        });
        Self { recipe, damages }
    }

    /// A case of the sound files of [`Case::draw`] under seed 1: `file` decides which, and whether something particular is
    /// done to it; else each of `damages` decides one damage.
    pub fn generate_each<C: Choices>(file: &mut C, damages: impl IntoIterator<Item = C>) -> Self {
        let recipe = Recipe::draw(1, file.below(RECIPES));
        let damages = special(&recipe, file)
            .unwrap_or_else(|| damages.into_iter().map(|mut choices| damage(&recipe, &mut choices)).collect());
        Self { recipe, damages }
    }
}

/// What is done alone.
fn special(recipe: &Recipe, choices: &mut impl Choices) -> Option<Vec<Damage>> {
    match choices.below(100) {
        0..10 => Some(vec![attack(recipe, choices)]),
        10..14 => Some(journal(recipe, choices)),
        14..16 => Some(uncounted(recipe, choices)),
        _ => None,
    }
}

fn attack(recipe: &Recipe, choices: &mut impl Choices) -> Damage {
    let effect = choices.weighted(&[(5, Effect::Refused), (1, Effect::Served), (3, Effect::SectorLost)]);
    let attacks: Vec<_> = Attack::on(recipe.format).filter(|attack| attack.effect() == effect).collect();
    let attack = attacks[choices.below(attacks.len() as u64) as usize];
    Damage::Attack { attack, reached: choices.weighted(&[(1, Reached::File), (1, Reached::Log)]) }
}

/// A journal, and maybe something for it to undo.
fn journal(recipe: &Recipe, choices: &mut impl Choices) -> Vec<Damage> {
    let pages = choices.between(0, 4) as u32;
    let lie = choices.percent(50).then(|| choices.between(1, 4) as u32);
    let page = u64::from(recipe.page_size);
    let undone = Damage::Noise { part: Part::File, at: page, len: page, seed: choices.below(1 << 16) };
    match choices.below(4) {
        0 => vec![Damage::Journal { pages, lie }],
        1 => vec![undone, Damage::Journal { pages, lie }],
        2 => {
            let len = len(recipe, Part::File);
            let at = len - choices.below(len.min(3 * page));
            vec![Damage::Cut { part: Part::File, at }, Damage::Journal { pages, lie }]
        }
        _ => vec![damage(recipe, choices), Damage::Journal { pages, lie }],
    }
}

/// A header that does not count the pages of the sectors, but for one that took the place of their root.
fn uncounted(recipe: &Recipe, choices: &mut impl Choices) -> Vec<Damage> {
    let (part, pages) = (Part::File, len(recipe, Part::File).div_ceil(u64::from(recipe.page_size)));
    let (from, to) = (choices.below(pages), 1);
    vec![Damage::Number { part, at: 28, value: 4 }, Damage::Copy { part, from, to }]
}

/// About how long the parts of a file are; what lies past the end does nothing.
fn len(recipe: &Recipe, part: Part) -> u64 {
    let page = u64::from(recipe.page_size);
    let data = recipe.sector_count * u64::from(recipe.sector_size) * 3 / 4;
    match part {
        Part::File if recipe.format == Format::One => 7 * page + data * 3 / 2,
        Part::File => 4 * page + data * 9 / 8,
        Part::Log => 32 + (page + 24) * (3 + u64::from(recipe.flushes) * (2 + data / 16 / page)),
    }
}

fn damage(recipe: &Recipe, choices: &mut impl Choices) -> Damage {
    let part = match recipe.flushes {
        0 => Part::File,
        _ => choices.weighted(&[(3, Part::File), (2, Part::Log)]),
    };
    let len = len(recipe, part);
    let at = place(recipe, part, len, choices);
    let page = match part {
        Part::File => u64::from(recipe.page_size),
        Part::Log => u64::from(recipe.page_size) + 24,
    };
    let pages = len.div_ceil(page);
    match choices.below(100) {
        0..45 => Damage::Flip { part, at, bit: choices.below(8) as u8 },
        45..58 => Damage::Fill { part, at, len: extent(recipe, choices), byte: byte(choices) },
        58..68 => Damage::Noise { part, at, len: extent(recipe, choices), seed: choices.below(1 << 32) },
        68..76 => Damage::Number { part, at: field(part, at, choices), value: number(pages, choices) },
        76..84 => Damage::Cut { part, at: if choices.percent(50) { at } else { at / page * page } },
        84..88 => Damage::Grow { part, len: choices.between(1, 3 * page), byte: byte(choices) },
        88..94 => Damage::Swap { part, one: choices.below(pages), other: choices.below(pages) },
        _ => Damage::Copy { part, from: choices.below(pages), to: choices.below(pages) },
    }
}

/// A byte: anywhere, where a page says what it has, or in the header.
fn place(recipe: &Recipe, part: Part, len: u64, choices: &mut impl Choices) -> u64 {
    let (page, head) = match part {
        Part::File => (u64::from(recipe.page_size), 0),
        Part::Log => (u64::from(recipe.page_size) + 24, 32),
    };
    match choices.below(100) {
        0..6 => choices.below(100),
        6..10 => choices.below(page),
        10..50 => head + choices.between(1, len.div_ceil(page)) * page + choices.below(28),
        50..60 => (head + choices.between(1, len.div_ceil(page)) * page).saturating_sub(1 + choices.below(600)),
        _ => page + choices.below(len.saturating_sub(page).max(1)),
    }
}

/// A place of a number: of the header of the file, of a frame, or any.
fn field(part: Part, at: u64, choices: &mut impl Choices) -> u64 {
    match (part, choices.below(3)) {
        (Part::File, 0) => {
            choices.weighted(&[(2, 28), (1, 24), (2, 32), (2, 36), (1, 40), (1, 44), (1, 52), (1, 56), (1, 92)])
        }
        (Part::Log, 0) => 4 * choices.below(14),
        _ => at / 4 * 4,
    }
}

fn number(pages: u64, choices: &mut impl Choices) -> u32 {
    match choices.below(8) {
        0 => 0,
        1 => 1,
        2 => u32::MAX,
        3 => i32::MAX as u32,
        4 => 1 << 31,
        5 => pages as u32 + 1,
        _ => choices.below(pages + 2) as u32,
    }
}

fn extent(recipe: &Recipe, choices: &mut impl Choices) -> u64 {
    match choices.below(4) {
        0 => 1,
        1 => choices.between(1, 16),
        2 => choices.between(1, 600),
        _ => choices.between(1, 2 * u64::from(recipe.page_size)),
    }
}

fn byte(choices: &mut impl Choices) -> u8 {
    match choices.below(4) {
        0 => 0,
        1 => 0xff,
        _ => choices.below(256) as u8,
    }
}
