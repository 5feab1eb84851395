//! How bytes are divided, and what they become.

use super::bytes::{ByteChoices, take};
use super::{Input, Target};
use crate::harness::hostile::Case;
use crate::layer::Format;
use crate::request::Below;
use crate::script::{self, LayerKind, LayerShape, LineChoices, Medium, Op, Profile, Script, Shape, Suite};

/// Bytes at the head of an input: the suite, the medium, the stack, the habits.
const HEAD: usize = 64;
/// Where in the head the habits begin.
const HABITS: usize = 40;
/// Bytes that decide an operation.
const OP: usize = 16;
/// More records than these are not looked at.
const MOST_OPS: usize = 64;
/// A layer that remembers each unmapped sector by itself is not made to remember more.
const MOST_ROWS: u64 = 4096;
/// Bytes of the largest layer: one sector more than a cluster of 64 has edges inside, and then some.
const LARGEST: u64 = 72 * 512;
/// More damages than these are not looked at.
const MOST_DAMAGES: usize = 6;

impl Target {
    /// Bytes of a record.
    fn record(self) -> usize {
        match self {
            Self::Layer => OP + 1,
            Self::PowerCut => OP + 8,
            _ => OP,
        }
    }

    fn suites(self) -> &'static [Suite] {
        use Suite::{Caches, FailingDrive, Huge, Layers, PowerCuts, Reopen, Reshape, Stacks};
        match self {
            Self::Layer => &[Layers, Layers, Layers, Reopen, Reopen, Reshape, Reshape, Huge],
            Self::PowerCut => &[PowerCuts, PowerCuts, PowerCuts, FailingDrive],
            _ => &[Layers, Stacks, Stacks, Caches, Caches, Reopen, Reshape, Huge],
        }
    }

    /// What the bytes are.
    pub fn decode(self, bytes: &[u8]) -> Input {
        match self {
            Self::Script | Self::Layer | Self::PowerCut => Input::Script(self.script(bytes)),
            Self::HostileDatabase => hostile(bytes),
            Self::ScriptText => Input::ScriptText(String::from_utf8_lossy(bytes).into_owned()),
            Self::Description => Input::Description(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    pub(super) fn script(self, mut bytes: &[u8]) -> Script {
        let head = take(&mut bytes, HEAD);
        let byte = |at: usize| usize::from(head.get(at).copied().unwrap_or_default());
        let suites = self.suites();
        let profile = Profile::new(suites[byte(0) % suites.len()]);
        let part = |from: usize, to: usize| ByteChoices::new(&head[from.min(head.len())..to.min(head.len())]);
        let mut shape = Shape::generate(&profile, &mut part(2, HABITS));
        keep_small(&mut shape);
        // Files are slow, and what SQLite does with them is the same every time.
        shape.medium = if byte(1) % 16 == 15 { Medium::Files } else { Medium::Memory };
        if self == Self::Layer {
            shape.layers.truncate(1);
            let LayerShape { kind, sector_count, filled, .. } = shape.layers[0];
            shape.layers[0] = LayerShape { filled, ..LayerShape::new(kind, sector_count) };
        }
        let records: Vec<&[u8]> = bytes.chunks(self.record()).take(MOST_OPS).collect();
        let mut lines =
            Script::generate_each(&profile, &shape, &mut part(HABITS, HEAD), records.iter().map(|record| line(record)));
        if self == Self::Layer {
            for (line, record) in lines.iter_mut().zip(&records) {
                line.op = asked_of_the_layer(line.op, &shape, record.get(OP).copied().unwrap_or_default());
            }
        }
        Script { shape, lines }
    }
}

/// Makes large layers small: a fuzzer runs many scripts, and small pages have as many edges in small layers. A huge one
/// stays, but for a file, which would need more memory than there is.
fn keep_small(shape: &mut Shape) {
    let is_huge = !shape.can_be_struck();
    let most = (LARGEST / u64::from(shape.sector_size)).max(8);
    for layer in &mut shape.layers {
        match layer.kind {
            _ if !is_huge && layer.sector_count > most => {
                layer.sector_count = most - layer.sector_count % (most / 8 + 1)
            }
            LayerKind::File if is_huge => layer.kind = LayerKind::Ram,
            _ => {}
        }
    }
}

fn line(record: &[u8]) -> LineChoices<ByteChoices<'_>> {
    let (op, strike) = record.split_at(OP.min(record.len()));
    LineChoices { op: ByteChoices::new(op), strike: ByteChoices::new(strike) }
}

/// The same operation, in three of four cases past the stack.
fn asked_of_the_layer(mut op: Op, shape: &Shape, how: u8) -> Op {
    let remembers_extents = shape.format == Format::One && shape.layers[0].kind == LayerKind::Sqlite;
    let below = |count: u64| match how & 4 == 0 && (remembers_extents || count <= MOST_ROWS) {
        true => Below::Something,
        false => Below::Nothing,
    };
    if how % 4 == 3 {
        return op;
    }
    match &mut op {
        Op::Read { target, .. }
        | Op::Write { target, .. }
        | Op::Flush { target }
        | Op::ReadBytes { target, .. }
        | Op::WriteBytes { target, .. } => *target = script::Target::Layer(0),
        Op::Unmap { sector, count } => {
            op = Op::UnmapLayer { layer: 0, sector: *sector, count: *count, below: below(*count) }
        }
        _ => {}
    }
    op
}

/// An even byte, and then a file; or an odd one, and then what is done to a sound file.
fn hostile(bytes: &[u8]) -> Input {
    match bytes {
        [kind, file @ ..] if kind % 2 == 0 => Input::File(file.to_owned()),
        _ => {
            let mut rest = bytes;
            let head = take(&mut rest, OP);
            let records = rest.chunks(OP).take(MOST_DAMAGES).map(ByteChoices::new);
            Input::Case(Case::generate_each(&mut ByteChoices::new(head.get(1..).unwrap_or_default()), records))
        }
    }
}
