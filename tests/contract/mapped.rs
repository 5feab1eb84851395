//! Rule 4, through a mapping: a file that is mapped reads like one that is not.

use disklayer_sqlite::layer::{Below, LayerIo, Options, SqliteDiskLayer};

use super::media::{Home, disk_of, look, write};

const SECTORS: u64 = 1 << 12;
const STRETCH: u64 = 512;

/// Less than the file has in the end; and the log is copied into it with each commit.
fn open_mapped(home: &Home) -> SqliteDiskLayer {
    home.open_with(&Options { mapped_bytes: 1 << 20, log_limit: 0, ..Options::default() })
}

/// Fills the disk stretch by stretch, so that the file grows while it is mapped, and looks at every stretch so far.
fn is_read_as_written(home: &Home) {
    let layer = open_mapped(home);
    for stretch in 0..SECTORS / STRETCH {
        write(&layer, stretch * STRETCH, stretch as u8, STRETCH);
        layer.flush().unwrap();
        for seen in 0..=stretch {
            let expected = vec![Some(seen as u8); STRETCH as usize];
            assert_eq!(look(&layer, seen * STRETCH..(seen + 1) * STRETCH), expected, "{home}, stretch {seen}");
        }
    }
    write(&layer, 700, 0xaa, 1);
    layer.unmap(900, 300, Below::Nothing).unwrap();
    layer.unmap(3000, 300, Below::Something).unwrap();
    layer.flush().unwrap();
    is_changed(home, &layer);
    layer.close().unwrap();
    is_changed(home, &open_mapped(home));
}

fn is_changed(home: &Home, layer: &SqliteDiskLayer) {
    let expected = |sector| match sector {
        700 => Some(0xaa),
        900..1200 => None,
        3000..3300 => Some(0),
        _ => Some((sector / STRETCH) as u8),
    };
    assert_eq!(look(layer, 0..SECTORS), (0..SECTORS).map(expected).collect::<Vec<_>>(), "{home}");
}

#[test]
fn rule_04_a_mapped_file_reads_as_it_was_written() {
    for home in Home::files() {
        home.create(disk_of(SECTORS)).close().unwrap();
        is_read_as_written(&home);
    }
}
