//! What a damaged file may show: the bytes that lie where the sound one had them, or an error.
//!
//! Format 0 has no checksums. Of a row that the damage struck, a key or a byte of a sector that became another cannot
//! be told from one that was written so; those bytes, and only those, may differ. Everything else that is shown must be
//! what was stored.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::image::{Row, Value, gather, row};
use super::original::State;

/// What one sector may show, beside an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Absent,
    Zeros,
    Data(Vec<u8>),
}

/// All that a damaged file may show.
pub(super) struct Expected {
    /// By sector; every other must be absent.
    pub(super) sectors: BTreeMap<u64, Vec<Shown>>,
    /// Number and size of sectors, as the damaged text says.
    pub(super) geometry: Option<(u64, u64)>,
    pub(super) is_identity_struck: bool,
    /// Whether bytes that count differ from those of the sound file, so that nobody could tell.
    pub(super) is_data_struck: bool,
}

impl Expected {
    /// Of a file that was `sound`, and has these bytes where they count.
    pub(super) fn new(sound: &State, damaged: &[u8]) -> Self {
        let mut sectors: BTreeMap<u64, Vec<Shown>> = BTreeMap::new();
        let mut is_data_struck = false;
        let mut moved = Vec::new();
        for row in &sound.tables.sectors {
            let before = shown(row, &sound.image.bytes);
            let after = shown(row, damaged);
            is_data_struck |= before != after;
            let mut may: Vec<Shown> = after.into_iter().collect();
            // A page of a long row names the next: two that changed places exchange the ends of their rows.
            let follows = self::row(damaged, row.cell).filter(|now| now.columns != row.columns);
            may.extend(follows.and_then(|now| shown(&now, damaged)));
            if is_head_struck(row, &sound.image.bytes, damaged) {
                is_data_struck = true;
                may.push(Shown::Absent);
                may.extend(before);
                moved.extend(self::row(damaged, row.cell));
            }
            sectors.insert(row.key as u64, may);
        }
        for row in moved {
            let may = sectors.entry(row.key as u64).or_insert_with(|| vec![Shown::Absent]);
            may.extend(shown(&row, damaged));
        }
        let meta = sound.tables.meta.first();
        let text = meta.and_then(|row| text(row, damaged));
        let geometry = text.and_then(|text| serde_json::from_slice::<Json>(&text).ok());
        let geometry = geometry.and_then(|json| Some((json["sector_count"].as_u64()?, json["sector_size"].as_u64()?)));
        let identity = sound.tables.identity.first();
        let is_identity_struck = identity.is_some_and(|row| {
            text_differs(row, &sound.image.bytes, damaged) || is_head_struck(row, &sound.image.bytes, damaged)
        });
        let is_meta_struck = meta.is_some_and(|row| is_head_struck(row, &sound.image.bytes, damaged));
        Self { sectors, geometry: geometry.filter(|_| !is_meta_struck), is_identity_struck, is_data_struck }
    }

    /// Of a file that shows exactly what `sectors` has.
    pub(super) fn exactly(sound: &State) -> Self {
        Self::new(sound, &sound.image.bytes)
    }
}

fn is_head_struck(row: &Row, sound: &[u8], damaged: &[u8]) -> bool {
    damaged.get(row.head.clone()) != sound.get(row.head.clone())
}

fn text(row: &Row, image: &[u8]) -> Option<Vec<u8>> {
    match row.columns.first()? {
        Value::Bytes(places) => gather(image, places),
        _ => None,
    }
}

fn text_differs(row: &Row, sound: &[u8], damaged: &[u8]) -> bool {
    text(row, sound) != text(row, damaged)
}

/// What a row of `sectors` shows if its bytes are those of `image`; nothing if that can only be an error.
pub(super) fn shown(row: &Row, image: &[u8]) -> Option<Shown> {
    match row.columns.get(1) {
        // A row that ends before its data has none, which reads as zeros.
        None | Some(Value::Null) => Some(Shown::Zeros),
        Some(Value::Bytes(places)) => gather(image, places).map(Shown::Data),
        Some(Value::Other) => None,
    }
}
