//! What a request may ask for, beyond its place and its bytes.

/// Whether a write must be durable when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Durable after the next flush.
    Flushed,
    /// Force unit access: durable when the call returns, with everything acknowledged before it.
    Fua,
}

/// What lies under the sectors of an unmap, as far as the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Below {
    /// Nothing shows from below: the layer may forget the sectors.
    Nothing,
    /// Something may show: the layer must remember that the sectors are zero.
    Something,
}
