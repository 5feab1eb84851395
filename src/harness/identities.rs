//! Which identity of the system stands for which generation of the oracle: the oracle has numbers, the system has what
//! was drawn at random, and each must keep to its own.

use std::collections::HashMap;

use crate::layer::{DiskLayerMetadata, Identity};

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    known: HashMap<u64, Identity>,
    seen: HashMap<Identity, u64>,
}

/// A layer's generation in the oracle, and what it has recorded of its parent: the generation, and the coming one.
pub(super) type Expected = (Option<u64>, [Option<u64>; 2]);

impl Identities {
    /// Whether a layer says what it must, as far as that is known.
    pub(super) fn permit(&self, expected: Expected, actual: &DiskLayerMetadata) -> bool {
        pairs(expected, actual).into_iter().all(|pair| match pair {
            (None, None) => true,
            (Some(expected), Some(actual)) => match (self.known.get(&expected), self.seen.get(&actual)) {
                (None, None) => true,
                (known, seen) => known == Some(&actual) && seen == Some(&expected),
            },
            _ => false,
        })
    }

    /// The same, and remembers it.
    pub(super) fn agree(&mut self, expected: Expected, actual: &DiskLayerMetadata) -> bool {
        let agreed = self.permit(expected, actual);
        if agreed {
            for (expected, actual) in pairs(expected, actual) {
                let (Some(expected), Some(actual)) = (expected, actual) else { continue };
                self.known.insert(expected, actual);
                self.seen.insert(actual, expected);
            }
        }
        agreed
    }
}

fn pairs((own, parent): Expected, actual: &DiskLayerMetadata) -> [(Option<u64>, Option<Identity>); 3] {
    let [recorded, coming] = parent;
    let parent = actual.parent.as_ref();
    [
        (own, actual.identity),
        (recorded, parent.and_then(|parent| parent.identity)),
        (coming, parent.and_then(|parent| parent.coming)),
    ]
}
