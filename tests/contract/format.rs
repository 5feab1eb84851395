//! Rule 22: `docs/format.md` is enough to read a file. This reader knows nothing else, and has no code of the layer's.

use std::path::{Path, PathBuf};

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{
    Existing, Format, Identity, LayerIo, Mode, Options, Parent, SectorMarker, SqliteDiskLayer, upgrade,
};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use uuid::Uuid;

use super::media::{Home, disk_of, refused, write};

/// A second reader, from the specification.
struct Reader {
    conn: Connection,
    format: i64,
    meta: Value,
    identity: Value,
}

impl Reader {
    fn open(path: &Path) -> Self {
        let conn = Connection::open(path).unwrap();
        let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("PRAGMA application_id"), 0x6462_6864);
        let format = number("PRAGMA user_version");
        let json =
            |sql| serde_json::from_str(&conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()).unwrap();
        let (meta, identity) = (json("SELECT metadata FROM meta"), json("SELECT identity FROM identity"));
        Self { conn, format, meta, identity }
    }

    fn number(&self, key: &str) -> usize {
        self.meta[key].as_u64().unwrap() as usize
    }

    /// The bytes of a sector; `None` if it is absent.
    fn sector(&self, sector: usize) -> Option<Vec<u8>> {
        assert!(sector < self.number("sector_count"));
        match self.format {
            0 => self.row(sector),
            1 => self.in_cluster(sector),
            version => panic!("format {version}"),
        }
    }

    fn row(&self, sector: usize) -> Option<Vec<u8>> {
        let sql = "SELECT data FROM sectors WHERE sector = ?1";
        let data: Option<Option<Vec<u8>>> =
            self.conn.query_row(sql, [sector as i64], |row| row.get(0)).optional().unwrap();
        data.map(|data| data.unwrap_or_else(|| vec![0; self.number("sector_size")]))
    }

    fn in_cluster(&self, sector: usize) -> Option<Vec<u8>> {
        let (size, block_size) = (self.number("sector_size"), self.number("block_size"));
        let per_cluster = self.number("cluster_size") / size;
        let (cluster, i) = (sector / per_cluster, sector % per_cluster);
        let sql = "SELECT data FROM clusters WHERE cluster = ?1";
        let Some(data) = self.conn.query_row(sql, [cluster as i64], |row| row.get::<_, Vec<u8>>(0)).optional().unwrap()
        else {
            let sql = "SELECT stop FROM zeros WHERE start <= ?1 ORDER BY start DESC LIMIT 1";
            let stop: Option<i64> = self.conn.query_row(sql, [cluster as i64], |row| row.get(0)).optional().unwrap();
            return (stop? > cluster as i64).then(|| vec![0; size]);
        };
        let head = usize::max(96, (block_size - 12) * 32 / 255 - 24);
        assert_eq!((data.len() - head) % (block_size - 4), 0);
        let bit = |at: usize| data[at + i / 8] >> (i % 8) & 1 == 1;
        if !bit(0) {
            return None;
        }
        let byte = |at: usize| {
            let (block, within) = (at / block_size, at % block_size);
            let place = usize::from(data[16 + block]);
            assert_ne!(place, 0, "a block with bytes has a place");
            match within.checked_sub(block_size - 4) {
                None => data[head + (place - 1) * (block_size - 4) + within],
                Some(tail) => data[32 + 4 * (place - 1) + tail],
            }
        };
        Some(if bit(8) { (i * size..(i + 1) * size).map(byte).collect() } else { vec![0; size] })
    }
}

/// What the example files hold, as `examples/format_files.rs` wrote it.
fn expected(sector: u64) -> Option<Vec<u8>> {
    let stamp = || (0..512).map(|at: u64| (sector.wrapping_mul(37) + at * 5 + at / 256) as u8).collect();
    match sector {
        40 | 50 | 36..40 | 100..300 | 400..416 => Some(vec![0; 512]),
        1 | 4..6 | 8 | 14..16 | 32 | 34..52 | 1000..1003 => Some(stamp()),
        _ => None,
    }
}

/// A copy of an example, since whoever opens a file may change it.
fn example(home: &Home, version: i32) -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/formats/v{version}.dbhd"));
    assert!(std::fs::metadata(&kept).unwrap().len() < 64 * 1024);
    std::fs::copy(kept, home.path()).unwrap();
    home.path()
}

#[test]
fn rule_22_a_second_reader_reads_the_files_of_every_format() {
    for version in 0..=Format::NEWEST.version() {
        let home = Home::file();
        let reader = Reader::open(&example(&home, version));
        assert_eq!(reader.format, i64::from(version));
        for sector in 0..1003 {
            assert_eq!(reader.sector(sector), expected(sector as u64), "format {version}, sector {sector}");
        }
        let parent = &reader.identity["parent"];
        assert_eq!((parent["sector_count"].as_u64(), parent["sector_size"].as_u64()), (Some(1003), Some(512)));
        assert_eq!(parent["coming"], json!({"uuid": Uuid::from_u128(0xabcd).to_string(), "generation": 42}));
    }
}

#[test]
fn rule_22_the_layer_reads_the_files_of_every_format_and_upgrades_them() {
    for version in 0..=Format::NEWEST.version() {
        let home = Home::file();
        let path = example(&home, version);
        is_as_expected(&home);
        let done = upgrade(&path, &Options::default(), &mut |_| Ok(())).unwrap();
        assert_eq!(done.is_some(), version < Format::NEWEST.version());
        is_as_expected(&home);
    }
}

fn is_as_expected(home: &Home) {
    let layer = home.try_open(Mode::ReadOnly).unwrap();
    for sector in 0..1003 {
        let (mut buf, mut marker) = (vec![0xee; 512], SectorMarker::new(sector..sector + 1));
        layer.read(sector, &mut buf, &mut marker).unwrap();
        assert_eq!(marker.is_set(sector).then_some(buf), expected(sector), "sector {sector}");
    }
    let of_parent = |generation| Some(Identity { uuid: Uuid::from_u128(0xabcd), generation });
    let parent = Parent { sector_count: 1003, sector_size: 512, identity: of_parent(41), coming: of_parent(42) };
    let metadata = layer.metadata();
    assert_eq!(metadata.identity, Some(Identity { uuid: Uuid::from_u128(0x1000), generation: 0x1002 }));
    assert_eq!(metadata.parent, Some(parent));
}

/// The second reader reads what is written today, in every page size.
#[test]
fn rule_22_a_second_reader_reads_what_is_written_today() {
    for page_size in [512, 1024, 2048, 4096, 8192, 16384, 32768] {
        let home = Home::file();
        let options = Options { page_size, ..Options::default() };
        let format = super::media::format(disk_of(300));
        let layer = SqliteDiskLayer::create(home.path(), format, Existing::Keep, &options).unwrap();
        for sector in [299, 7, 130, 3, 64, 128, 8] {
            write(&layer, sector, sector as u8 | 1, 1);
        }
        layer.close().unwrap();
        let reader = Reader::open(&home.path());
        assert_eq!(reader.number("block_size"), page_size as usize);
        for sector in 0..300 {
            let held = [299, 7, 130, 3, 64, 128, 8].contains(&sector).then(|| vec![sector as u8 | 1; 512]);
            assert_eq!(reader.sector(sector), held, "pages of {page_size}, sector {sector}");
        }
    }
}

#[test]
fn rule_22_a_file_says_in_its_header_that_it_is_a_disk_and_of_which_format() {
    for (format, page_size) in [(Format::Original, 4096), (Format::One, 4096), (Format::One, 512), (Format::One, 32768)]
    {
        let home = Home::file();
        let options = Options { format, page_size, ..Options::default() };
        let params = super::media::format(disk_of(8));
        let existing = Existing::Keep;
        SqliteDiskLayer::create(home.path(), params, existing, &options).unwrap().close().unwrap();
        let bytes = std::fs::read(home.path()).unwrap();
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((number(68), number(60)), (0x6462_6864, format.version() as u32));
        assert_eq!(u16::from_be_bytes([bytes[16], bytes[17]]), page_size as u16);
        // Incremental vacuum: a largest root page, and the flag.
        assert_eq!((number(52) > 0, number(64) > 0), (format == Format::One, format == Format::One));
    }
}

#[test]
fn rule_22_a_format_from_the_future_is_refused_and_keeps_every_byte() {
    for version in [Format::NEWEST.version() + 1, i32::MAX, -1] {
        let home = Home::file();
        let path = example(&home, 1);
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("PRAGMA user_version={version}")).unwrap();
        drop(conn);
        let before = std::fs::read(&path).unwrap();
        for mode in [Mode::ReadWrite, Mode::ReadOnly] {
            let error = refused(home.try_open(mode), ErrorKind::TooNew);
            assert!(error.to_string().contains(&format!("format {version}")), "{error}");
        }
        refused(upgrade(&path, &Options::default(), &mut |_| Ok(())), ErrorKind::TooNew);
        assert!(std::fs::read(&path).unwrap() == before);
    }
}
