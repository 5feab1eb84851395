//! Which sectors are shown: neighbours that every operation has treated alike are shown as one, so that a disk of any
//! size fits on a page.

use super::Sectors;
use crate::script::Script;

/// The sectors of all layers, cut wherever an operation or a layer begins or ends, and around `sector`.
pub(super) fn bands(script: &Script, sector: Option<u64>) -> Vec<Sectors> {
    let layers = script.shape.layers.iter().map(|layer| layer.sector_count);
    let end = layers.clone().max().unwrap_or(0);
    let ops = script.lines.iter().filter_map(|line| line.op.range());
    let touched = ops.flat_map(|(sector, count)| [sector, sector.saturating_add(count)]);
    let wrong = sector.into_iter().flat_map(|sector| [sector, sector.saturating_add(1)]);
    let mut cuts: Vec<u64> = layers.chain(touched).chain(wrong).chain([0]).filter(|cut| *cut <= end).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}
