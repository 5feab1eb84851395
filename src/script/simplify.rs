//! Simpler scripts, for shrinking: shorter first, then simpler operations, sizes, and stacks.

use std::iter::once;

use super::{Content, LayerKind, LayerShape, Line, Medium, Op, OpKind, Reopen, Script, Shape, Target};
use crate::layer::Format;
use crate::request::Durability;

impl Script {
    /// The same script without some of its operations.
    #[must_use]
    pub fn without_ops(&self, gone: std::ops::Range<usize>) -> Self {
        let mut script = self.clone();
        script.lines.drain(gone);
        script
    }

    /// The same script, and nothing strikes.
    #[must_use]
    pub fn without_strikes(&self) -> Self {
        let mut script = self.clone();
        script.lines.iter_mut().for_each(|line| line.strike = None);
        script
    }

    /// Scripts that are a little simpler in one respect, the greatest steps first.
    pub fn simpler(&self) -> Vec<Self> {
        let mut simpler = self.simpler_stacks();
        for (index, line) in self.lines.iter().enumerate() {
            simpler.extend(line.simpler().into_iter().map(|line| {
                let mut script = self.clone();
                script.lines[index] = line;
                script
            }));
        }
        simpler.extend((0..self.lines.len()).filter_map(|index| self.without_turn(index)));
        simpler
    }

    fn simpler_stacks(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        let mut with = |change: &dyn Fn(&mut Self)| {
            let mut script = self.clone();
            change(&mut script);
            if script != *self {
                simpler.push(script);
            }
        };
        if self.shape.layers.len() > 1 {
            (0..self.shape.layers.len()).for_each(|index| with(&|script| script.remove_layer(index)));
        }
        with(&|script| script.shape.medium = Medium::Memory);
        with(&|script| script.shape.sector_size = 512);
        with(&|script| script.shape.read_only = false);
        with(&|script| script.shape.dirty_limit = None);
        with(&|script| script.shape.page_size = Shape::PAGE_SIZE);
        with(&|script| script.shape.format = Format::NEWEST);
        with(&|script| script.begin_at_once());
        for index in 0..self.shape.layers.len() {
            for layer in self.shape.layers[index].simpler() {
                // RAM remembers zeros one by one, and what SQLite keeps as an extent may be all of a huge disk.
                if layer.kind != LayerKind::Ram
                    || self.shape.layers[index].kind == LayerKind::Ram
                    || !self.unmaps_much()
                {
                    with(&|script| script.shape.layers[index] = layer);
                }
            }
        }
        let least = self.shape.layers.iter().map(|layer| layer.sector_count).min().unwrap_or(1);
        with(&|script| script.shape.layers.iter_mut().for_each(|layer| layer.sector_count = least));
        with(&|script| {
            script.shape.layers.iter_mut().for_each(|layer| layer.sector_count = layer.sector_count.div_ceil(2))
        });
        let first = self.lines.iter().filter_map(|line| line.op.range()).map(|(sector, _)| sector).min().unwrap_or(0);
        for by in [first, first.div_ceil(2), u64::from(first > 0)] {
            with(&|script| script.shift_down(by));
        }
        simpler
    }

    /// Whether so many sectors are unmapped at once that no layer should remember them one by one.
    fn unmaps_much(&self) -> bool {
        let largest = self.shape.layers.iter().map(|layer| layer.sector_count).max().unwrap_or(0);
        let unmapped =
            self.lines.iter().filter(|line| line.op.kind() == OpKind::Unmap).filter_map(|line| line.op.range());
        unmapped.map(|(_, count)| count.min(largest)).any(|count| count > 4096)
    }

    fn remove_layer(&mut self, index: usize) {
        self.shape.layers.remove(index);
        for Line { op, .. } in &mut self.lines {
            if let Target::Layer(layer) = op.target()
                && layer > index
            {
                *op = op.with_layer(layer - 1);
            }
        }
    }

    /// Moves everything so many sectors towards the start, sizes too.
    fn shift_down(&mut self, by: u64) {
        for Line { op, .. } in &mut self.lines {
            if let Some((sector, count)) = op.range() {
                *op = op.with_range(sector.saturating_sub(by), count);
            }
        }
        for layer in &mut self.shape.layers {
            layer.sector_count = layer.sector_count.saturating_sub(by).max(1);
        }
    }
}

impl LayerShape {
    fn simpler(&self) -> Vec<Self> {
        let n = self.sector_count;
        let mut simpler = vec![
            Self { kind: LayerKind::Ram, diff: false, ..*self },
            Self { diff: false, ..*self },
            Self { read_cache: false, ..*self },
            Self { write_through: false, ..*self },
            Self { read_only: false, ..*self },
            Self { filled: None, ..*self },
        ];
        simpler
            .extend([n.div_ceil(2), n - n / 4, n.saturating_sub(1).max(1)].map(|n| Self { sector_count: n, ..*self }));
        if self.kind == LayerKind::Own {
            simpler.remove(0);
        }
        simpler.retain(|layer| layer != self);
        simpler
    }
}

impl Line {
    /// Without its thread and what strikes it, then simpler in one respect.
    fn simpler(&self) -> Vec<Self> {
        let with_turn = |turn| Self { turn, ..self.clone() };
        let with_strike = |strike| Self { strike, ..self.clone() };
        let turns = self.turn.iter().flat_map(|turn| once(None).chain(turn.simpler().into_iter().map(Some)));
        let strikes = self.strike.iter().flat_map(|strike| once(None).chain(strike.simpler().into_iter().map(Some)));
        let ops = self.op.simpler().into_iter().map(|op| Self { op, ..self.clone() });
        turns.map(with_turn).chain(strikes.map(with_strike)).chain(ops).collect()
    }
}

impl Op {
    /// Operations that are simpler in one respect.
    pub fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        if let Some((sector, count)) = self.range() {
            let counts = [1, count / 2, count.saturating_sub(1)];
            simpler.extend(counts.into_iter().filter(|&n| n < count && n > 0).map(|n| self.with_range(sector, n)));
            let sectors = [0, sector / 2, sector.saturating_sub(1)];
            simpler.extend(sectors.into_iter().filter(|&at| at < sector).map(|at| self.with_range(at, count)));
            // Keep the end, lose the start.
            simpler.extend((count > 1).then(|| self.with_range(sector.saturating_add(1), count - 1)));
        }
        match *self {
            Self::Write { target, sector, count, content, durability } => {
                let plain = |content, durability| Self::Write { target, sector, count, content, durability };
                simpler.extend((durability == Durability::Fua).then(|| plain(content, Durability::Flushed)));
                simpler.extend(content.simpler().map(|content| plain(content, durability)));
                simpler.extend(self.to_disk());
            }
            Self::Fill { layer, sector, count, content } => {
                simpler.extend(content.simpler().map(|content| Self::Fill { layer, sector, count, content }));
            }
            Self::UnmapLayer { sector, count, .. } => simpler.push(Self::Unmap { sector, count }),
            Self::Read { .. } | Self::Flush { .. } => simpler.extend(self.to_disk()),
            Self::Reopen(Reopen::ReadOnly | Reopen::Elsewhere) => simpler.push(Self::Reopen(Reopen::Writable)),
            _ => {}
        }
        simpler
    }

    fn to_disk(self) -> Option<Self> {
        let mut op = self;
        match &mut op {
            Self::Read { target, .. } | Self::Write { target, .. } | Self::Flush { target } => *target = Target::Disk,
            _ => {}
        }
        (op != self).then_some(op)
    }

    fn with_layer(mut self, to: usize) -> Self {
        match &mut self {
            Self::Read { target, .. }
            | Self::Write { target, .. }
            | Self::Flush { target }
            | Self::ReadBytes { target, .. }
            | Self::WriteBytes { target, .. } => *target = Target::Layer(to),
            Self::Fill { layer, .. } | Self::UnmapLayer { layer, .. } => *layer = to,
            _ => {}
        }
        self
    }
}

impl Content {
    fn simpler(self) -> Option<Self> {
        match self {
            Self::Stamp(_) => None,
            Self::Zeros | Self::Fill(_) => Some(Self::Stamp(1)),
            Self::Byte { .. } => Some(Self::Fill(1)),
        }
    }
}
