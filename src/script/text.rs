//! The text form of a script, both ways. `Debug` is the same on one line.

use std::fmt;
use std::str::FromStr;

use super::{Content, LayerKind, LayerShape, Line, Medium, Op, Pushed, Reopen, Script, Shape, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::Format;
use crate::request::{Below, Durability};

mod strike;
mod turn;

/// The largest buffer that a line may ask for, in bytes.
const MAX_BUFFER: u64 = 64 << 20;
/// The largest layer that may be filled from the start, in bytes.
const MAX_FILLED: u64 = 256 << 20;

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk => Ok(()),
            Self::Layer(layer) => write!(f, " @{layer}"),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stamp(stamp) => write!(f, "stamp {stamp}"),
            Self::Zeros => f.write_str("zeros"),
            Self::Fill(byte) => write!(f, "fill {byte:#04x}"),
            Self::Byte { at, value } => write!(f, "byte {at} {value:#04x}"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { target, sector, count } => write!(f, "read{target} {sector} {count}"),
            Self::Write { target, sector, count, content, durability } => {
                let fua = if *durability == Durability::Fua { " fua" } else { "" };
                write!(f, "write{target} {sector} {count} {content}{fua}")
            }
            Self::Fill { layer, sector, count, content } => write!(f, "fill @{layer} {sector} {count} {content}"),
            Self::Unmap { sector, count } => write!(f, "unmap {sector} {count}"),
            Self::UnmapLayer { layer, sector, count, below } => {
                let how = if *below == Below::Nothing { "forget" } else { "remember" };
                write!(f, "unmap @{layer} {sector} {count} {how}")
            }
            Self::Flush { target } => write!(f, "flush{target}"),
            Self::ReadBytes { target, sector, len } => write!(f, "read-bytes{target} {sector} {len}"),
            Self::WriteBytes { target, sector, len } => write!(f, "write-bytes{target} {sector} {len}"),
            Self::Reopen(Reopen::Writable) => f.write_str("reopen"),
            Self::Reopen(Reopen::ReadOnly) => f.write_str("reopen read-only"),
            Self::Reopen(Reopen::Elsewhere) => f.write_str("reopen elsewhere"),
            Self::Push(Pushed::Sqlite) => f.write_str("push sqlite"),
            Self::Push(Pushed::Ram) => f.write_str("push ram"),
            Self::Discard => f.write_str("discard"),
            Self::Commit => f.write_str("commit"),
        }
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Ram => "ram",
            Self::File => "file",
            Self::Own => "own",
        })
    }
}

impl fmt::Display for LayerShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {} {}", self.kind, self.sector_count)?;
        let flags = [
            (self.diff, " diff"),
            (self.read_cache, " read-cache"),
            (self.write_through, " write-through"),
            (self.read_only, " read-only"),
        ];
        flags.iter().filter(|(on, _)| *on).try_for_each(|(_, flag)| f.write_str(flag))?;
        self.filled.map_or(Ok(()), |stamp| write!(f, " filled {stamp}"))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disk {}", self.sector_size)?;
        let flags = [(self.medium == Medium::Memory, " in-memory"), (self.read_only, " read-only")];
        flags.iter().filter(|(on, _)| *on).try_for_each(|(_, flag)| f.write_str(flag))?;
        self.dirty_limit.map_or(Ok(()), |limit| write!(f, " dirty-limit {limit}"))?;
        if self.format != Format::NEWEST {
            write!(f, " format {}", self.format.version())?;
        }
        if self.page_size != Self::PAGE_SIZE {
            write!(f, " pages {}", self.page_size)?;
        }
        self.layers.iter().try_for_each(|layer| write!(f, "\n{layer}"))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.shape)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

macro_rules! debug_is_the_text_on_one_line {
    ($($ty:ty),+) => {$(
        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_string().trim().replace('\n', "; "))
            }
        }
    )+};
}

debug_is_the_text_on_one_line!(Script, Shape, LayerShape, Line, Op, Content, Target);

impl FromStr for Script {
    type Err = Error;

    /// # Errors
    ///
    /// `Syntax`, with the number of the line and what was expected there.
    fn from_str(text: &str) -> Result<Self> {
        let mut shape: Option<Shape> = None;
        let mut lines = Vec::new();
        // Some editors begin a file with a mark that nobody sees.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1..).zip(text.lines()) {
            for part in line.split('#').next().unwrap_or_default().split(';') {
                let (part, strike) = part.split_once('!').map_or((part, None), |(part, strike)| (part, Some(strike)));
                let (turn, part) = part.split_once('|').map_or((None, part), |(turn, part)| (Some(turn), part));
                let [turn, strike] = [turn, strike].map(|part| part.map(|part| Words::new(part, number, line)));
                let mut words = Words::new(part, number, line);
                let Some(first) = words.words.next() else { continue };
                match (first, &mut shape) {
                    ("disk", None) => shape = Some(words.disk()?),
                    ("disk", Some(_)) => return Err(words.wrong("`disk` only once")),
                    (_, None) => return Err(words.wrong("`disk SECTOR_SIZE` before anything else")),
                    ("layer", Some(shape)) if lines.is_empty() => shape.layers.push(words.layer(shape.sector_size)?),
                    ("layer", Some(_)) => return Err(words.wrong("every `layer` before the first operation")),
                    (verb, Some(shape)) => {
                        let op = words.op(verb, shape.sector_size)?;
                        if strike.is_some() && !shape.can_be_struck() {
                            return Err(words.wrong("layers of at most 4096 sectors, if anything strikes"));
                        }
                        lines.push(words.line(op, turn.clone(), strike.clone())?);
                    }
                }
                match (first, &turn, &strike) {
                    ("disk" | "layer", _, Some(_)) => return Err(words.wrong("a `!` only after an operation")),
                    ("disk" | "layer", Some(_), _) => return Err(words.wrong("a `|` only before an operation")),
                    _ => {}
                }
                words.end()?;
            }
        }
        let shape = shape.ok_or_else(|| Error::new(ErrorKind::Syntax, "a script needs a line `disk SECTOR_SIZE`"))?;
        Ok(Self { shape, lines })
    }
}

/// The rest of one line.
#[derive(Clone)]
struct Words<'a> {
    words: std::str::SplitWhitespace<'a>,
    number: usize,
    line: &'a str,
}

impl<'a> Words<'a> {
    fn new(text: &'a str, number: usize, line: &'a str) -> Self {
        Self { words: text.split_whitespace(), number, line: line.trim() }
    }

    fn wrong(&self, expected: &str) -> Error {
        let what = format!("line {}, `{}`: expected {expected}", self.number, self.line);
        Error::new(ErrorKind::Syntax, what)
    }

    fn number<T: TryFrom<u64>>(&mut self, what: &str) -> Result<T> {
        let word = self.words.next().ok_or_else(|| self.wrong(what))?;
        let number = match word.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => word.parse(),
        };
        number.ok().and_then(|n| T::try_from(n).ok()).ok_or_else(|| self.wrong(&format!("{what}, not `{word}`")))
    }

    fn end(mut self) -> Result<()> {
        match self.words.next() {
            None => Ok(()),
            Some(word) => Err(self.wrong(&format!("nothing more, not `{word}`"))),
        }
    }

    fn disk(&mut self) -> Result<Shape> {
        let sector_size = self.number("a sector size in bytes")?;
        Geometry::new(1, sector_size).map_err(|_| self.wrong("a power of two from 512 to 65536"))?;
        let mut shape = Shape {
            sector_size,
            medium: Medium::Files,
            read_only: false,
            dirty_limit: None,
            format: Format::NEWEST,
            page_size: Shape::PAGE_SIZE,
            layers: Vec::new(),
        };
        while let Some(word) = self.words.next() {
            match word {
                "in-memory" => shape.medium = Medium::Memory,
                "read-only" => shape.read_only = true,
                "dirty-limit" => shape.dirty_limit = Some(self.number("a number of bytes")?),
                "format" => {
                    let format = Format::of_version(self.number("the number of a format")?);
                    shape.format = format.ok_or_else(|| self.wrong("format 0 or 1"))?;
                }
                "pages" => {
                    shape.page_size = self.number("a size of pages in bytes")?;
                    if !shape.page_size.is_power_of_two() || !(512..=32768).contains(&shape.page_size) {
                        return Err(self.wrong("pages of a power of two from 512 to 32768 bytes"));
                    }
                }
                _ => {
                    let what = "`in-memory`, `read-only`, `dirty-limit BYTES`, `format N` or `pages BYTES`";
                    return Err(self.wrong(what));
                }
            }
        }
        Ok(shape)
    }

    fn layer(&mut self, sector_size: u32) -> Result<LayerShape> {
        let kind = match self.words.next() {
            Some("sqlite") => LayerKind::Sqlite,
            Some("ram") => LayerKind::Ram,
            Some("file") => LayerKind::File,
            Some("own") => LayerKind::Own,
            _ => return Err(self.wrong("`layer sqlite`, `layer ram`, `layer file` or `layer own`")),
        };
        let count = self.number("a size in sectors")?;
        let geometry = Geometry::new(count, sector_size).map_err(|_| self.wrong("1 sector to i64::MAX bytes"))?;
        let mut layer = LayerShape::new(kind, count);
        while let Some(word) = self.words.next() {
            match word {
                "diff" if kind == LayerKind::Sqlite => layer.diff = true,
                "read-cache" => layer.read_cache = true,
                "write-through" => layer.write_through = true,
                "read-only" => layer.read_only = true,
                "filled" if geometry.len() <= MAX_FILLED => layer.filled = Some(self.number("a stamp")?),
                "filled" => return Err(self.wrong("a layer of at most 256 MiB to be filled")),
                _ => return Err(self.wrong("`diff` (sqlite), `read-cache`, `write-through`, `read-only`, `filled N`")),
            }
        }
        Ok(layer)
    }

    fn op(&mut self, verb: &str, sector_size: u32) -> Result<Op> {
        let target = self.target()?;
        Ok(match (verb, target) {
            ("read", _) => Op::Read { target, sector: self.sector()?, count: self.count(sector_size)? },
            ("write", _) => Op::Write {
                target,
                sector: self.sector()?,
                count: self.count(sector_size)?,
                content: self.content()?,
                durability: self.durability()?,
            },
            ("fill", Target::Layer(layer)) => {
                Op::Fill { layer, sector: self.sector()?, count: self.count(sector_size)?, content: self.content()? }
            }
            ("unmap", Target::Disk) => Op::Unmap { sector: self.sector()?, count: self.number("a count")? },
            ("unmap", Target::Layer(layer)) => Op::UnmapLayer {
                layer,
                sector: self.sector()?,
                count: self.number("a count of sectors")?,
                below: self.one_of(&[("forget", Below::Nothing), ("remember", Below::Something)])?,
            },
            ("flush", _) => Op::Flush { target },
            ("read-bytes", _) => Op::ReadBytes { target, sector: self.sector()?, len: self.count(1)? },
            ("write-bytes", _) => Op::WriteBytes { target, sector: self.sector()?, len: self.count(1)? },
            ("reopen", Target::Disk) => match self.words.next() {
                None => Op::Reopen(Reopen::Writable),
                Some("read-only") => Op::Reopen(Reopen::ReadOnly),
                Some("elsewhere") => Op::Reopen(Reopen::Elsewhere),
                Some(_) => return Err(self.wrong("`reopen`, `reopen read-only` or `reopen elsewhere`")),
            },
            ("push", Target::Disk) => Op::Push(self.one_of(&[("sqlite", Pushed::Sqlite), ("ram", Pushed::Ram)])?),
            ("discard", Target::Disk) => Op::Discard,
            ("commit", Target::Disk) => Op::Commit,
            _ => {
                let verbs = "read, write, fill @LAYER, unmap, flush, read-bytes, write-bytes, reopen, push, discard";
                return Err(self.wrong(&format!("an operation ({verbs} or commit)")));
            }
        })
    }

    fn target(&mut self) -> Result<Target> {
        let mut ahead = self.words.clone();
        let Some(layer) = ahead.next().and_then(|word| word.strip_prefix('@')) else { return Ok(Target::Disk) };
        self.words = ahead;
        layer.parse().map(Target::Layer).map_err(|_| self.wrong("the number of a layer after `@`"))
    }

    fn sector(&mut self) -> Result<u64> {
        self.number("a sector")
    }

    /// A number of units of `size` bytes that a buffer can have.
    fn count(&mut self, size: u32) -> Result<u32> {
        let count: u32 = self.number("a count")?;
        match u64::from(count) * u64::from(size) <= MAX_BUFFER {
            true => Ok(count),
            false => Err(self.wrong("a buffer of at most 64 MiB")),
        }
    }

    fn content(&mut self) -> Result<Content> {
        match self.words.next() {
            Some("stamp") => Ok(Content::Stamp(self.number("a stamp")?)),
            Some("zeros") => Ok(Content::Zeros),
            Some("fill") => Ok(Content::Fill(self.number("a byte")?)),
            Some("byte") => {
                Ok(Content::Byte { at: self.number("a place in the sector")?, value: self.number("a byte")? })
            }
            _ => Err(self.wrong("`stamp N`, `zeros`, `fill BYTE` or `byte PLACE BYTE`")),
        }
    }

    fn durability(&mut self) -> Result<Durability> {
        match self.words.next() {
            None => Ok(Durability::Flushed),
            Some("fua") => Ok(Durability::Fua),
            Some(_) => Err(self.wrong("`fua` or nothing")),
        }
    }

    fn one_of<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T> {
        let word = self.words.next().unwrap_or_default();
        choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.wrong(&names.join(" or "))
        })
    }
}
