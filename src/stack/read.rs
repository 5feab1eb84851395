//! The read path: each layer is asked for what the layers above it lack, and the caches above keep what it had.

use std::ops::Range;

use super::{Layer, Stack};
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::layer::SectorMarker;

pub(super) fn read(stack: &Stack, range: Range<u64>, buf: &mut [u8]) -> Result<()> {
    let start = range.start;
    let mut missing = vec![range];
    missing.retain(|run| !run.is_empty());
    for (index, layer) in stack.layers.iter().enumerate() {
        if missing.is_empty() {
            return Ok(());
        }
        if index == 4 && planted(Fault::DeepLayersNotRead) {
            break;
        }
        let mut still_missing = Vec::new();
        let mut marker = SectorMarker::new(0..0);
        for (nth, run) in missing.into_iter().enumerate() {
            let shown = run.start..run.end.min(layer.visible).max(run.start);
            let hidden = shown.end..run.end;
            if shown.is_empty() || !planted(Fault::TailNotFilled) {
                buf[stack.bytes(start, &hidden)].fill(0);
            }
            if shown.is_empty() {
                continue;
            }
            let last = marker;
            marker = read_layer(layer, &shown, &mut buf[stack.bytes(start, &shown)]).map_err(|e| e.at_layer(index))?;
            if planted(Fault::MarkerKeptBetweenRuns) {
                keep(&last, &mut marker);
            }
            for (run, present) in marker.runs() {
                match present {
                    true if nth > 0 && planted(Fault::CacheFillsFirstRunOnly) => {}
                    true if nth > 0 && layer.read_cache && planted(Fault::CacheHitLostWhenSplit) => {
                        still_missing.push(run);
                    }
                    true if nth > 0 && layer.read_cache && planted(Fault::InnerHitNotKeptWhenSplit) => {}
                    true => fill_caches(stack, index, &run, start, buf),
                    false => still_missing.push(run),
                }
            }
        }
        missing = still_missing;
        if planted(Fault::ThirdRunNotRead) {
            missing.truncate(2);
        }
    }
    for run in missing {
        if !planted(Fault::AbsentNotFilled) {
            buf[stack.bytes(start, &run)].fill(0);
        }
    }
    Ok(())
}

fn read_layer(layer: &Layer, run: &Range<u64>, buf: &mut [u8]) -> Result<SectorMarker> {
    let mut marker = SectorMarker::new(run.clone());
    layer.io.read(run.start, buf, &mut marker)?;
    Ok(marker)
}

/// Sets in the marker of a run what is set in that of the run before, as if it were the same and had not been reset.
fn keep(last: &SectorMarker, marker: &mut SectorMarker) {
    let set = last.range().zip(marker.range()).filter(|(old, _)| last.is_set(*old));
    for (_, sector) in set.collect::<Vec<_>>() {
        marker.set(sector..sector + 1);
    }
}

/// Keeps a run that layer `index` had in the caches above it, which did not have it (rule 11).
fn fill_caches(stack: &Stack, index: usize, run: &Range<u64>, start: u64, buf: &[u8]) {
    let mut data = &buf[stack.bytes(start, run)];
    if planted(Fault::CacheFilledFromRequestStart) {
        data = &buf[..data.len()];
    }
    for (above, cache) in stack.layers[..index].iter().enumerate().filter(|(_, layer)| layer.read_cache) {
        let nearest = !stack.layers[above + 1..index].iter().any(|layer| layer.read_cache);
        if nearest || !planted(Fault::OuterCacheNotFilled) {
            // A cache that cannot be filled is a slow cache, not a failed read.
            let _ = cache.io.write_no_overwrite(run.start, data);
        }
    }
}
