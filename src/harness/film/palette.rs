//! Which write a sector's bytes are from.

use super::Held;
use crate::script::{Content, Script};

/// How far from the start of a write its sectors are tried.
const REACH: u64 = 64;

/// Everything that a script writes, and the sectors it writes to.
pub(super) struct Palette {
    contents: Vec<Content>,
    sectors: Vec<u64>,
}

impl Palette {
    pub(super) fn new(script: &Script) -> Self {
        let filled = script.shape.layers.iter().filter_map(|layer| layer.filled.map(Content::Stamp));
        let mut contents: Vec<Content> =
            filled.chain(script.lines.iter().filter_map(|line| line.op.content())).collect();
        let mut seen = std::collections::HashSet::new();
        contents.retain(|content| seen.insert(*content));
        let ranges = script.lines.iter().filter_map(|line| line.op.range());
        let mut sectors: Vec<u64> =
            ranges.flat_map(|(first, count)| first..first.saturating_add(count.min(REACH))).collect();
        sectors.sort_unstable();
        sectors.dedup();
        Self { contents, sectors }
    }

    /// What these bytes of `sector` are.
    pub(super) fn recognise(&self, bytes: &[u8], sector: u64) -> Held {
        if bytes.iter().all(|&byte| byte == 0) {
            return Held::Zeros;
        }
        let mut buf = vec![0; bytes.len()];
        let mut says = |content: Content, sector: u64| {
            content.render(sector, bytes.len(), &mut buf);
            buf == bytes
        };
        if let Some(&content) = self.contents.iter().find(|&&content| says(content, sector)) {
            return Held::Said(content, sector);
        }
        // Only what depends on its sector can be told to be from another one.
        let stamps = self.contents.iter().filter(|content| matches!(content, Content::Stamp(_)));
        for &content in stamps {
            if let Some(&astray) = self.sectors.iter().find(|&&sector| says(content, sector)) {
                return Held::Said(content, astray);
            }
        }
        Held::Unknown
    }
}
