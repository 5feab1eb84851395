//! Stacks to do something to.

use super::{Bias, Profile, Suite};
use crate::layer::Format;
use crate::script::{Choices, LayerKind, LayerShape, Medium, Shape};

/// Over a base with more sectors than this no layer is filled from the start: each script would pay for all of them.
const MOST_FILLED: u64 = 4096;

/// A longer file cannot be made on every file system: on ext4 16 TiB are too many.
const LONGEST_FILE: u64 = 15 << 40;

pub(super) fn generate(profile: &Profile, choices: &mut impl Choices) -> Shape {
    match profile.bias {
        Bias::Swarm => swarm(profile, choices),
        Bias::Uniform => uniform(profile, choices),
    }
}

/// One to four plain layers of one size, alike in everything.
fn uniform(profile: &Profile, choices: &mut impl Choices) -> Shape {
    let size = choices.between(1, 128);
    let depth = choices.between(1, 4);
    let kinds = [(1, LayerKind::Sqlite), (1, LayerKind::Ram), (1, LayerKind::File)];
    let mut layers: Vec<LayerShape> =
        (0..depth).map(|_| LayerShape::new(choices.weighted(&kinds), profile.base.unwrap_or(size))).collect();
    let bottom = layers.len() - 1;
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.diff = index < bottom && layer.kind == LayerKind::Sqlite && choices.percent(50);
        layer.read_cache = index < bottom && layer.kind != LayerKind::File && choices.percent(50);
        layer.filled = (choices.percent(50) && profile.base.is_none()).then_some(1000 + index as u32);
    }
    let through = choices.below(depth) as usize;
    layers[..through].iter_mut().for_each(|layer| layer.write_through = true);
    put_base(&mut layers, profile, 512);
    let medium = if choices.percent(50) { Medium::Files } else { Medium::Memory };
    let format = if choices.percent(50) { Format::One } else { Format::Original };
    Shape { sector_size: 512, medium, read_only: false, dirty_limit: None, format, page_size: Shape::PAGE_SIZE, layers }
}

fn swarm(profile: &Profile, choices: &mut impl Choices) -> Shape {
    let sector_size = match choices.below(20) {
        0 if base_has_whole_sectors(profile, 4096) => 4096,
        1 if base_has_whole_sectors(profile, 1024) => 1024,
        _ => 512,
    };
    let depth = match profile.suite {
        Suite::Layers => 1,
        Suite::Threads => choices.weighted(&[(3, 1), (4, 2), (3, 3)]),
        Suite::Stacks => choices.weighted(&[(3, 2), (4, 3), (2, 4)]),
        Suite::Caches => choices.weighted(&[(2, 2), (5, 3), (3, 4)]),
        Suite::Reopen | Suite::Reshape => choices.weighted(&[(2, 1), (4, 2), (3, 3), (1, 4)]),
        Suite::Huge => choices.weighted(&[(2, 1), (2, 2), (1, 3)]),
        Suite::PowerCuts | Suite::FailingDrive => choices.weighted(&[(5, 1), (5, 2), (3, 3), (1, 4)]),
    };
    // A base is not written to, so something has to lie on it.
    let depth = if profile.base.is_some() { depth.max(2) } else { depth };
    let mut layers = layers(profile, depth, sector_size, choices);
    let read_only = choices.percent(3);
    if choices.percent(2) {
        // A stack that cannot be, now and then.
        layers.iter_mut().for_each(|layer| spoil(layer, choices));
    }
    put_base(&mut layers, profile, sector_size);
    let medium = if choices.percent(39) { Medium::Files } else { Medium::Memory };
    let dirty_limit = match profile.suite {
        Suite::PowerCuts | Suite::FailingDrive if choices.percent(50) => {
            Some(choices.below(16) * u64::from(sector_size))
        }
        _ => None,
    };
    let format = choices.weighted(&[(3, Format::One), (2, Format::Original)]);
    // Small pages make small clusters: their edges are met in small disks.
    let page_size = match format {
        Format::One => choices.weighted(&[(5, 512), (2, 1024), (4, Shape::PAGE_SIZE), (1, 16384)]),
        Format::Original => Shape::PAGE_SIZE,
    };
    Shape { sector_size, medium, read_only, dirty_limit, format, page_size, layers }
}

fn layers(profile: &Profile, depth: u64, sector_size: u32, choices: &mut impl Choices) -> Vec<LayerShape> {
    let unequal = choices.percent(if matches!(profile.suite, Suite::Reshape | Suite::Threads) { 25 } else { 55 });
    let size = size(profile, sector_size, choices);
    let bottom = depth as usize - 1;
    let deepest = bottom - usize::from(profile.base.is_some());
    // Generations and parents are only put to the test where all layers have them.
    let heirs = matches!(profile.suite, Suite::Reopen | Suite::Reshape) && choices.percent(50);
    let writes_through = match (profile.suite, heirs) {
        (Suite::Caches, _) | (Suite::Reopen, true) => 60,
        (Suite::Reshape, true) => 25,
        (Suite::Threads, _) => 40,
        (Suite::Stacks | Suite::PowerCuts | Suite::FailingDrive, _) | (Suite::Reopen, false) => 15,
        (Suite::Layers | Suite::Huge, _) | (Suite::Reshape, false) => 0,
    };
    let through = match deepest > 0 && choices.percent(writes_through) {
        true => choices.between(1, deepest as u64) as usize,
        false => 0,
    };
    let mut layers = Vec::new();
    for index in 0..=bottom {
        let sector_count = if unequal { other_size(size, choices) } else { size };
        let kind = match (index == bottom, profile.suite) {
            (true, Suite::Layers) => {
                choices.weighted(&[(8, LayerKind::Sqlite), (1, LayerKind::Ram), (1, LayerKind::File)])
            }
            (true, Suite::PowerCuts | Suite::FailingDrive) => {
                choices.weighted(&[(8, LayerKind::Sqlite), (1, LayerKind::Ram), (2, LayerKind::File)])
            }
            (true, _) => choices.weighted(&[(4, LayerKind::Sqlite), (3, LayerKind::Ram), (3, LayerKind::File)]),
            (false, Suite::PowerCuts | Suite::FailingDrive) => {
                choices.weighted(&[(90, LayerKind::Sqlite), (8, LayerKind::Ram), (2, LayerKind::File)])
            }
            (false, _) => choices.weighted(&[(60, LayerKind::Sqlite), (37, LayerKind::Ram), (3, LayerKind::File)]),
        };
        let is_base = profile.base.is_some() && index == bottom;
        let kind = if heirs && !is_base { LayerKind::Sqlite } else { kind };
        let too_long = sector_count > LONGEST_FILE / u64::from(sector_size);
        let kind = if kind == LayerKind::File && too_long { LayerKind::Ram } else { kind };
        let mut layer = LayerShape::new(kind, sector_count);
        layer.write_through = index < through;
        layer.diff = kind == LayerKind::Sqlite && index < bottom && (heirs || choices.percent(60));
        let cached = match profile.suite {
            Suite::Caches => 70,
            Suite::Threads => 50,
            _ => 12,
        };
        layer.read_cache = index < bottom && kind != LayerKind::File && choices.percent(cached);
        layer.read_only = index > through && choices.percent(15);
        let full = match (profile.suite, index == bottom) {
            (Suite::Huge, _) => 0,
            _ if profile.base.is_some_and(|base| base > MOST_FILLED) => 0,
            (Suite::Layers, _) => 20,
            (_, true) => 85,
            (_, false) if layer.read_cache => 3,
            (_, false) => 20,
        };
        layer.filled = choices.percent(full).then_some(1000 + index as u32);
        layers.push(layer);
    }
    layers
}

fn size(profile: &Profile, sector_size: u32, choices: &mut impl Choices) -> u64 {
    match (profile.suite, profile.base) {
        (_, Some(base)) => base / sectors_of_512(sector_size),
        (Suite::Huge, None) => {
            let shift = choices.between(32, 36);
            (1 << shift) + choices.below(200)
        }
        (Suite::PowerCuts | Suite::FailingDrive, None) => choices.between(1, if sector_size > 512 { 12 } else { 48 }),
        (Suite::Threads, None) => choices.between(2, 32),
        (_, None) if sector_size > 512 => choices.between(1, 40),
        (_, None) => match choices.weighted(&[(1, 0), (3, 1), (10, 2), (4, 3)]) {
            0 => 1,
            1 => choices.between(2, 9),
            2 => choices.between(10, 64),
            _ => choices.between(65, 200),
        },
    }
}

/// A size near another, above it as often as below.
fn other_size(size: u64, choices: &mut impl Choices) -> u64 {
    match choices.below(4) {
        0 => size,
        1 => size + choices.between(1, 3),
        2 => size + choices.between(1, (size / 2).clamp(1, 64)),
        _ => size - choices.below(size).min(64),
    }
}

fn spoil(layer: &mut LayerShape, choices: &mut impl Choices) {
    layer.write_through ^= choices.percent(30);
    layer.read_cache ^= choices.percent(30);
    layer.read_only ^= choices.percent(30);
    layer.diff ^= layer.kind == LayerKind::Sqlite && choices.percent(30);
}

fn put_base(layers: &mut [LayerShape], profile: &Profile, sector_size: u32) {
    if let (Some(base), Some(last)) = (profile.base, layers.last_mut()) {
        let sector_count = base / sectors_of_512(sector_size);
        *last = LayerShape { read_only: true, ..LayerShape::new(LayerKind::File, sector_count) };
    }
}

/// Whether a disk of such sectors can lie on the base, if there is one.
fn base_has_whole_sectors(profile: &Profile, sector_size: u32) -> bool {
    profile.base.is_none_or(|base| base.is_multiple_of(sectors_of_512(sector_size)))
}

fn sectors_of_512(sector_size: u32) -> u64 {
    u64::from(sector_size / 512)
}
