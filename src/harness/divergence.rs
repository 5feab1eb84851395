//! A difference between system and oracle, told so that a person sees what happened.

use std::fmt;

use super::history::History;
use super::origin::Origin;
use crate::script::{LayerKind, Op, OpKind, Outcome, Script, Target, Touched};

/// Where system and oracle part. Its text is a new script.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// What was done.
    pub script: Script,
    /// At which operation; at the opening of the stack if none, at its closing if there is none of that number.
    pub step: Option<usize>,
    /// What differs.
    pub difference: Difference,
    pub(super) layer_kind: Option<LayerKind>,
    pub(super) origin: Option<Origin>,
}

/// What differs.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "expected is the oracle's side, actual the subject's")]
pub enum Difference {
    /// The outcome, with the subject's own words.
    Outcome { expected: Outcome, actual: Outcome, message: Option<String> },
    /// Bytes.
    Bytes(Box<Bytes>),
    /// Whether a layer holds a sector.
    Presence { layer: usize, sector: u64, expected: bool },
    /// How much of a layer was touched.
    Touched { layer: usize, expected: Touched, actual: Touched },
    /// What a layer says of itself.
    Metadata { layer: usize, what: String },
    /// A layer, looked at alone.
    Look { layer: usize, message: String },
    /// What a power cut or a failing drive has left, of one layer or of the disk; and a sector that tells, with its bytes.
    Survival { layer: Option<usize>, what: String, telling: Option<(u64, Vec<u8>)> },
    /// The system panicked.
    Panic(String),
    /// The process that ran the script did not live to tell, in words.
    Died(Death, String),
    /// What several threads did at once.
    History(Box<History>),
}

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Death {
    /// By a signal, or by its own hand.
    Crashed,
    /// It did not get on, and was killed.
    Hung,
}

/// The first sector that differs.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "expected is the oracle's side, actual the subject's")]
pub struct Bytes {
    /// How it was read.
    pub view: View,
    /// Its number.
    pub sector: u64,
    /// The first byte of it that differs.
    pub offset: usize,
    pub expected: Vec<u8>,
    pub actual: Vec<u8>,
}

/// How a sector was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// By the script, from the disk.
    Disk,
    /// By the script, from one layer.
    Layer(usize),
    /// By the harness, looking at one layer.
    Look(usize),
}

impl View {
    pub(super) fn of(op: &Op) -> Self {
        match op.target() {
            Target::Disk => Self::Disk,
            Target::Layer(layer) => Self::Layer(layer),
        }
    }

    pub(super) fn layer(self) -> Option<usize> {
        match self {
            Self::Disk => None,
            Self::Layer(layer) | Self::Look(layer) => Some(layer),
        }
    }
}

impl Difference {
    /// What is left of a layer, or of the disk.
    pub(super) fn survival(layer: Option<usize>, what: impl Into<String>) -> Self {
        Self::Survival { layer, what: what.into(), telling: None }
    }

    /// The layer that it shows on, if it is one alone.
    pub fn layer(&self) -> Option<usize> {
        match self {
            Self::Outcome { .. } | Self::Panic(_) | Self::Died(..) | Self::History(_) => None,
            Self::Survival { layer, .. } => *layer,
            Self::Bytes(bytes) => bytes.view.layer(),
            Self::Presence { layer, .. }
            | Self::Touched { layer, .. }
            | Self::Metadata { layer, .. }
            | Self::Look { layer, .. } => Some(*layer),
        }
    }

    /// The sector that it shows in, if it is one.
    pub fn sector(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.sector),
            Self::Presence { sector, .. } => Some(*sector),
            Self::Survival { telling, .. } => telling.as_ref().map(|(sector, _)| *sector),
            Self::History(history) => match history.unexplained {
                crate::oracle::Unexplained::Sector(sector) => Some(sector),
                _ => None,
            },
            _ => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Outcome { expected, actual, .. } => Class::Outcome(*expected, *actual),
            Self::Bytes(_) => Class::Bytes,
            Self::Presence { expected, .. } => Class::Presence(*expected),
            Self::Touched { .. } => Class::Touched,
            Self::Metadata { .. } => Class::Metadata,
            Self::Look { .. } => Class::Look,
            Self::Survival { .. } => Class::Survival,
            Self::Panic(_) => Class::Panic,
            Self::Died(death, _) => Class::Died(*death),
            Self::History(_) => Class::History,
        }
    }
}

/// What makes two divergences the same: the kind of operation, the kind of layer, the kind of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    op: Option<OpKind>,
    layer: Option<LayerKind>,
    class: Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Class {
    Outcome(Outcome, Outcome),
    Bytes,
    Presence(bool),
    Touched,
    Metadata,
    Look,
    Survival,
    Panic,
    Died(Death),
    History,
}

impl Signature {
    /// A short text, fit for a file's name.
    pub fn slug(&self) -> String {
        let op = match (self.op, self.class) {
            (Some(op), _) => format!("{op:?}"),
            (None, Class::History) => "threads".to_owned(),
            (None, Class::Died(_)) => "process".to_owned(),
            (None, _) => "open".to_owned(),
        };
        let class = match self.class {
            Class::Outcome(..) => "outcome",
            Class::Bytes => "bytes",
            Class::Presence(_) => "presence",
            Class::Touched => "accesses",
            Class::Metadata => "metadata",
            Class::Look => "look",
            Class::Survival => "survival",
            Class::Panic => "panic",
            Class::Died(Death::Crashed) => "crash",
            Class::Died(Death::Hung) => "hang",
            Class::History => "history",
        };
        let layer = self.layer.map_or(String::new(), |layer| format!("-{layer}"));
        format!("{op}-{class}{layer}").to_lowercase()
    }
}

/// All that makes it what it is, in words.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.slug())?;
        match self.class {
            Class::Outcome(expected, actual) => write!(f, ", {actual} where it must be {expected}"),
            Class::Presence(true) => f.write_str(", absent where it must be present"),
            Class::Presence(false) => f.write_str(", present where it must be absent"),
            _ => Ok(()),
        }
    }
}

impl Divergence {
    /// A script that ends the process which runs it; how, in words.
    pub fn died(script: Script, death: Death, how: String) -> Box<Self> {
        Box::new(Self { script, step: None, difference: Difference::Died(death, how), layer_kind: None, origin: None })
    }

    /// What makes it the same as another.
    pub fn signature(&self) -> Signature {
        // The layer of a refusal counts, its number does not: shrinking takes layers away.
        let class = match self.difference.class() {
            Class::Outcome(expected, actual) => Class::Outcome(anonymous(expected), anonymous(actual)),
            class => class,
        };
        match class {
            // It is told by all that ran at once; shrinking takes any of them away.
            Class::History => Signature { op: None, layer: None, class },
            class => Signature { op: self.op().map(Op::kind), layer: self.layer_kind, class },
        }
    }

    /// The operation, if it is not the opening.
    pub fn op(&self) -> Option<&Op> {
        self.step.and_then(|step| self.script.lines.get(step)).map(|line| &line.op)
    }

    /// What happened, in a few lines without the script.
    pub fn story(&self) -> String {
        let place = match (self.step, self.op()) {
            (Some(step), Some(op)) => format!("operation {step}, `{op}`"),
            (Some(_), None) => "closing the stack".to_owned(),
            (None, _) if matches!(self.difference, Difference::Died(..)) => "somewhere in the script".to_owned(),
            (None, _) => "opening the stack".to_owned(),
        };
        let origin = self.origin.as_ref().map_or(String::new(), |origin| format!("\n{origin}"));
        format!("{place}: {}{origin}", self.difference)
    }
}

fn anonymous(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { kind, .. } => Outcome::Refused { kind, layer: None },
        other => other,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome { expected, actual, message } => {
                write!(f, "outcome differs\nexpected: {expected}\nactual:   {actual}")?;
                message.as_ref().map_or(Ok(()), |message| write!(f, " - {message}"))
            }
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Presence { layer, sector, expected } => {
                let (should, does) = if *expected { ("should", "does not") } else { ("should not", "does") };
                write!(f, "presence differs\nlayer {layer} {should} hold sector {sector}, and {does}")
            }
            Self::Touched { layer, expected, actual } => {
                write!(f, "accesses differ on layer {layer}\nexpected: {expected:?}\nactual:   {actual:?}")
            }
            Self::Metadata { layer, what } => write!(f, "metadata differs on layer {layer}\n{what}"),
            Self::Look { layer, message } => write!(f, "layer {layer}, looked at alone\n{message}"),
            Self::Survival { layer: None, what, .. } => {
                write!(f, "what was left of the disk is not what it may be\n{what}")
            }
            Self::Survival { layer: Some(layer), what, .. } => {
                write!(f, "what was left of layer {layer} is not what it may be\n{what}")
            }
            Self::Panic(message) => write!(f, "panic\n{message}"),
            Self::Died(_, how) => write!(f, "the process did not live to tell\n{how}"),
            Self::History(history) => history.fmt(f),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sector, offset, expected, actual, .. } = self;
        let view = match self.view {
            View::Disk => String::new(),
            View::Layer(layer) | View::Look(layer) => format!(" of layer {layer}"),
        };
        writeln!(f, "bytes differ in sector {sector}{view}, from byte {offset} on")?;
        let from = offset.saturating_sub(4);
        for (name, bytes) in [("expected:", expected), ("\nactual:  ", actual)] {
            write!(f, "{name}")?;
            bytes[from..].iter().take(16).try_for_each(|byte| write!(f, " {byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.story().lines().try_for_each(|line| writeln!(f, "# {line}"))?;
        write!(f, "{}", self.script)
    }
}

impl std::error::Error for Divergence {}
