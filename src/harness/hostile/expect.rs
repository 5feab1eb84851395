//! What a damaged file may show: the bytes that lie where the sound one had them, or an error.
//!
//! Neither format has checksums. Of a row that the damage struck, a key or a byte of a sector that became another cannot
//! be told from one that was written so; those bytes, and only those, may differ. Everything else that is shown must be
//! what was stored.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::image::{Row, Value, gather, row};
use super::original::State;
use super::stored::Stored;

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
        let image = &sound.image.bytes;
        let meta = sound.tables.meta.first();
        let is_meta_struck = meta.is_some_and(|row| is_head_struck(row, image, damaged));
        let Some(stored) = Stored::of(&sound.tables, image) else { panic!("a sound file has metadata") };
        let now_stored = Stored::of(&sound.tables, damaged).filter(|_| !is_meta_struck).unwrap_or(stored);
        let mut sectors: BTreeMap<u64, Vec<Shown>> = BTreeMap::new();
        let mut is_data_struck = false;
        let mut moved = Vec::new();
        for (table, row) in sound.tables.rows() {
            let before = stored.shows(table, row, image);
            let after = now_stored.shows(table, row, damaged);
            is_data_struck |= before != after;
            // What it is about is told by it alone: if it can only be an error, nothing else may be shown.
            for sector in now_stored.about(table, row) {
                sectors.entry(sector).or_default();
            }
            let mut may = |shown: Option<Vec<(u64, Shown)>>| {
                shown.into_iter().flatten().for_each(|(sector, shown)| sectors.entry(sector).or_default().push(shown));
            };
            may(after);
            // A page of a long row names the next: two that changed places exchange the ends of their rows.
            let follows = self::row(damaged, row.cell).filter(|now| now.columns != row.columns && now.key == row.key);
            may(follows.and_then(|now| now_stored.shows(table, &now, damaged)));
            if is_head_struck(row, image, damaged) {
                is_data_struck = true;
                let absent = before.iter().flatten().map(|(sector, _)| (*sector, Shown::Absent)).collect();
                may(Some(absent));
                may(before);
                moved.extend(self::row(damaged, row.cell).map(|row| (table, row)));
            }
        }
        for (table, row) in moved {
            for (sector, shown) in now_stored.shows(table, &row, damaged).into_iter().flatten() {
                sectors.entry(sector).or_insert_with(|| vec![Shown::Absent]).push(shown);
            }
        }
        let text = meta.and_then(|row| text(row, damaged));
        let geometry = text.and_then(|text| serde_json::from_slice::<Json>(&text).ok());
        let geometry = geometry.and_then(|json| Some((json["sector_count"].as_u64()?, json["sector_size"].as_u64()?)));
        let identity = sound.tables.identity.first();
        let is_identity_struck = identity.is_some_and(|row| {
            text_differs(row, &sound.image.bytes, damaged) || is_head_struck(row, &sound.image.bytes, damaged)
        });
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
