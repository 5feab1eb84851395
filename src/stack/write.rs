//! The write path: top down through the layers that write through, stopping at the first failure (rule 12).

use std::ops::Range;

use super::Stack;
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::layer::{Below, Durability, Parent};

pub(super) fn write(stack: &mut Stack, range: Range<u64>, data: &[u8], durability: Durability) -> Result<()> {
    let path = stack.write_path();
    if planted(Fault::HiddenWriteCountsAsNoted) {
        stack.layers.iter_mut().filter(|layer| range.start >= layer.visible).for_each(|layer| layer.noted = true);
    }
    note_coming_generations(stack, path)?;
    let mut result = Ok(());
    for (index, layer) in stack.layers[..path].iter().enumerate() {
        if index > 0 && planted(Fault::ZerosNotWrittenThrough) && data.iter().all(|&byte| byte == 0) {
            continue;
        }
        if index > 0 && planted(Fault::StraddlingWriteHalfDone) && range.end > layer.visible {
            continue;
        }
        let shown = range.start..range.end.min(layer.visible);
        if shown.is_empty() {
            break;
        }
        let data = &data[stack.bytes(range.start, &shown)];
        let written = layer.io.write(shown.start, data, durability).map_err(|e| e.at_layer(index));
        match planted(Fault::WriteThroughGoesOn) {
            true => result = result.and(written),
            false => written?,
        }
    }
    result
}

pub(super) fn unmap(stack: &mut Stack, range: Range<u64>) -> Result<()> {
    let path = match planted(Fault::UnmapNotWrittenThrough) {
        false => stack.write_path(),
        true => 1,
    };
    note_coming_generations(stack, path)?;
    for (index, layer) in stack.layers[..path].iter().enumerate() {
        let shown = range.start..range.end.min(layer.visible);
        if shown.is_empty() {
            break;
        }
        let below = below(stack, index, &shown);
        layer.io.unmap(shown.start, shown.end - shown.start, below).map_err(|e| e.at_layer(index))?;
    }
    Ok(())
}

pub(super) fn flush(stack: &Stack) -> Result<()> {
    let count = if planted(Fault::FlushReachesTopOnly) { 1 } else { stack.layers.len() };
    for (index, layer) in stack.layers[..count].iter().enumerate() {
        let flushed = layer.io.flush().map_err(|e| e.at_layer(index));
        if index == 0 || !planted(Fault::LowerFlushFailureIgnored) {
            flushed?;
        }
    }
    Ok(())
}

/// Whether anything shows from below layer `index` in `range`.
pub(super) fn below(stack: &Stack, index: usize, range: &Range<u64>) -> Below {
    let Some(next) = stack.layers.get(index + 1) else { return Below::Nothing };
    let covered = match planted(Fault::StraddlingUnmapForgets) {
        false => range.start < next.visible,
        true => range.end <= next.visible,
    };
    if covered { Below::Something } else { Below::Nothing }
}

/// Tells each layer above a written one which generation that one gets, or it would be a stranger at the next open.
pub(super) fn note_coming_generations(stack: &mut Stack, path: usize) -> Result<()> {
    for index in 1..path {
        if stack.layers[index].noted || planted(Fault::ComingGenerationNotNoted) {
            continue;
        }
        let above = &stack.layers[index - 1].io;
        let layer = &stack.layers[index].io;
        let mut coming = layer.coming_identity().map_err(|e| e.at_layer(index))?;
        if planted(Fault::ForeignChangeBlessed) {
            coming = coming.or(layer.metadata().identity);
        }
        if let (Some(parent), Some(coming)) = (above.metadata().parent, coming) {
            let parent = Parent { coming: Some(coming), ..parent_now(parent, layer.metadata().identity) };
            above.record_parent(&parent).map_err(|e| e.at_layer(index - 1))?;
        }
        stack.layers[index].noted = true;
    }
    Ok(())
}

/// The record of a parent that was found to be the right one.
fn parent_now(parent: Parent, identity: Option<crate::layer::Identity>) -> Parent {
    if planted(Fault::NoteKeepsOldIdentity) {
        return parent;
    }
    Parent { identity: if parent.identity.is_some() { identity } else { parent.identity }, ..parent }
}
