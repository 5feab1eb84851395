//! What rows mean in each format, read naively: nothing is shared with the layer.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;

use super::expect::Shown;
use super::image::{Row, Tables, Value, gather, number};

/// So many sectors of an extent are looked at; only damage makes them more.
const MOST: u64 = 1 << 16;

/// How sectors lie, as the metadata says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) sector_count: u64,
    pub(super) sector_size: u32,
    /// Bytes of a block and of a cluster, if the format has them.
    sizes: Option<(u64, u64)>,
}

/// A table that says something of sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Sectors,
    Clusters,
    Zeros,
}

impl Tables {
    /// All rows that say something of sectors.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Table, &Row)> {
        let all = [(Table::Sectors, &self.sectors), (Table::Clusters, &self.clusters), (Table::Zeros, &self.zeros)];
        all.into_iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row)))
    }
}

impl Stored {
    /// What the metadata says whose bytes lie in `image`.
    pub(super) fn of(tables: &Tables, image: &[u8]) -> Option<Self> {
        let Value::Bytes(places) = tables.meta.first()?.columns.first()? else { return None };
        let json: Json = serde_json::from_slice(&gather(image, places)?).ok()?;
        let sizes = match tables.clusters.is_empty() && tables.zeros.is_empty() {
            true => None,
            false => Some((json["block_size"].as_u64()?, json["cluster_size"].as_u64()?)),
        };
        let sane = |size: u64| size.is_power_of_two() && size <= 1 << 22;
        let stored = Self {
            sector_count: json["sector_count"].as_u64()?,
            sector_size: json["sector_size"].as_u64()?.try_into().ok()?,
            sizes: sizes.filter(|(block, cluster)| sane(*block) && sane(*cluster) && *block >= 512),
        };
        (sane(stored.sector_size.into()) && stored.sizes.is_some() == sizes.is_some()).then_some(stored)
    }

    /// The sectors that a sound file holds.
    pub(super) fn present(&self, tables: &Tables, image: &[u8]) -> Option<BTreeMap<u64, Shown>> {
        let mut present = BTreeMap::new();
        for (table, row) in tables.rows() {
            for (sector, shown) in self.shows(table, row, image)? {
                let is_new = shown == Shown::Absent || present.insert(sector, shown).is_none();
                if !is_new {
                    return None;
                }
            }
        }
        Some(present)
    }

    /// The sectors that a row is about.
    pub(super) fn about(&self, table: Table, row: &Row) -> Range<u64> {
        let key = row.key as u64;
        match table {
            Table::Sectors => key..key.saturating_add(1),
            Table::Clusters => self.sectors_of(key..key.saturating_add(1)),
            Table::Zeros => 0..0,
        }
    }

    /// What a row shows if its bytes are those of `image`; nothing if that can only be an error.
    pub(super) fn shows(&self, table: Table, row: &Row, image: &[u8]) -> Option<Vec<(u64, Shown)>> {
        let key = row.key as u64;
        match (table, row.columns.get(1)) {
            // A row that ends before its data has none, which reads as zeros.
            (Table::Sectors, None | Some(Value::Null)) => Some(vec![(key, Shown::Zeros)]),
            (Table::Sectors, Some(Value::Bytes(places))) => Some(vec![(key, Shown::Data(gather(image, places)?))]),
            (Table::Clusters, Some(Value::Bytes(places))) => self.cluster(key, &gather(image, places)?),
            (Table::Zeros, Some(Value::Number(place))) => self.zeros(key, number(image, place)?),
            (Table::Zeros, Some(Value::Constant(stop))) => self.zeros(key, *stop),
            _ => None,
        }
    }

    fn sectors_of(&self, clusters: Range<u64>) -> Range<u64> {
        let (_, cluster_size) = self.sizes.unwrap_or((512, self.sector_size.into()));
        let per_cluster = (cluster_size / u64::from(self.sector_size)).max(1);
        let sector = |cluster: u64| cluster.saturating_mul(per_cluster).min(self.sector_count);
        sector(clusters.start)..sector(clusters.end)
    }

    fn zeros(&self, start: u64, stop: i64) -> Option<Vec<(u64, Shown)>> {
        let stop = u64::try_from(stop).ok().filter(|stop| *stop > start)?;
        Some(self.sectors_of(start..stop).take(MOST as usize).map(|sector| (sector, Shown::Zeros)).collect())
    }

    /// All sectors of a cluster, absent ones too; nothing if its row contradicts itself.
    fn cluster(&self, cluster: u64, row: &[u8]) -> Option<Vec<(u64, Shown)>> {
        let (block_size, cluster_size) = self.sizes?;
        let (block_size, size) = (block_size as usize, self.sector_size as usize);
        let head = ((block_size - 12) * 32 / 255).saturating_sub(24).max(96);
        let (blocks, chunk) = (cluster_size as usize / block_size, block_size - 4);
        let stored = row.len().checked_sub(head).filter(|stored| stored % chunk == 0)? / chunk;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| row[at + n]));
        let (present, data, places) = (word(0), word(8), &row[16..32]);
        let mut taken: Vec<u8> = places.iter().copied().filter(|place| *place > 0).collect();
        taken.sort_unstable();
        let is_sound = data & !present == 0
            && stored <= blocks
            && taken.windows(2).all(|two| two[0] != two[1])
            && taken.last().is_none_or(|last| usize::from(*last) <= stored)
            && places.iter().skip(blocks).all(|place| *place == 0);
        if !is_sound {
            return None;
        }
        let block = |number: usize| {
            let place = usize::from(places[number]).checked_sub(1)?;
            Some([&row[head + place * chunk..][..chunk], &row[32 + 4 * place..][..4]].concat())
        };
        let blocks: Vec<Option<Vec<u8>>> = (0..blocks).map(block).collect();
        let bytes = |sector: usize| {
            let (start, end) = (sector * size, (sector + 1) * size);
            let parts = (start / block_size..end.div_ceil(block_size)).map(|number| {
                let first = number * block_size;
                Some(&blocks[number].as_ref()?[start.max(first) - first..end.min(first + block_size) - first])
            });
            parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
        };
        let sectors = self.sectors_of(cluster..cluster.checked_add(1)?);
        let count = (sectors.end - sectors.start) as u32;
        if count == 0 || count > 64 || present.checked_shr(count).unwrap_or(0) != 0 {
            return None;
        }
        let shown = |sector: u32| match (present >> sector & 1, data >> sector & 1) {
            (0, _) => Some(Shown::Absent),
            (_, 0) => Some(Shown::Zeros),
            _ => bytes(sector as usize).map(Shown::Data),
        };
        (0..count).map(|n| Some((sectors.start + u64::from(n), shown(n)?))).collect()
    }
}
