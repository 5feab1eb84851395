//! Colours: one for each content, so that a sector tells which write it is from.

use disklayer_sqlite::script::{Content, Script};

/// The contents of a script in the order in which they are written, and who writes them.
pub(super) struct Colours(Vec<(Content, Vec<String>)>);

impl Colours {
    pub(super) fn new(script: &Script) -> Self {
        let layers = script.shape.layers.iter().enumerate();
        let filled = layers
            .filter_map(|(n, layer)| layer.filled.map(|stamp| (Content::Stamp(stamp), format!("layer {n} at first"))));
        let lines = script.lines.iter().enumerate();
        let written = lines.filter_map(|(n, line)| Some((line.op.content()?, format!("{n}: {}", line.op))));
        let mut all: Vec<(Content, Vec<String>)> = Vec::new();
        for (content, who) in filled.chain(written).filter(|(content, _)| *content != Content::Zeros) {
            match all.iter_mut().find(|(known, _)| *known == content) {
                Some((_, whose)) => whose.push(who),
                None => all.push((content, vec![who])),
            }
        }
        Self(all)
    }

    /// Every content, and who writes it.
    pub(super) fn all(&self) -> impl Iterator<Item = (Content, String)> {
        self.0.iter().map(|(content, whose)| (*content, whose.join(" · ")))
    }

    /// The colour of a content, for CSS. Neighbours in time are far apart: each turns the wheel by the golden angle.
    pub(super) fn of(&self, content: Content) -> String {
        let nth = self.0.iter().position(|(known, _)| *known == content).unwrap_or(0);
        let hue = (205.0 + nth as f64 * 137.508) % 360.0;
        let light = [62, 72, 54][nth / 8 % 3];
        format!("hsl({hue:.0} 62% {light}%)")
    }
}

/// A content in as many letters as a sector has room for.
pub(super) fn label(content: Content) -> String {
    match content {
        Content::Stamp(stamp) if stamp < 10_000 => stamp.to_string(),
        Content::Stamp(stamp) => format!("…{}", stamp % 100),
        Content::Zeros => "0".to_owned(),
        Content::Fill(byte) => format!("{byte:02x}"),
        Content::Byte { value, .. } => format!("·{value:02x}"),
    }
}
