//! Rule 20: what lies where a new layer needs a name for a while is somebody's, and stays.

use std::path::PathBuf;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Existing, LayerIo, Options, SqliteDiskLayer};

use super::media::{Home, disk_of, format, look, write};

/// A place for a layer, with something beside it.
fn beside(suffix: &str, content: &[u8]) -> (Home, PathBuf) {
    let home = Home::file();
    let mut path = home.path().into_os_string();
    path.push(suffix);
    std::fs::write(&path, content).unwrap();
    (home, path.into())
}

fn create(home: &Home, existing: Existing) -> disklayer_sqlite::error::Result<SqliteDiskLayer> {
    SqliteDiskLayer::create(home.path(), format(disk_of(4)), existing, &Options::default())
}

fn full(home: &Home) {
    let layer = create(home, Existing::Keep).unwrap();
    write(&layer, 0, 1, 4);
    layer.close().unwrap();
}

#[test]
fn rule_20_a_file_with_the_name_of_a_claim_stays() {
    let old = Home::file();
    full(&old);
    for content in [b"keep me".to_vec(), std::fs::read(old.path()).unwrap()] {
        let (home, other) = beside(".new", &content);
        full(&home);
        let was = std::fs::read(home.path()).unwrap();
        let error = create(&home, Existing::Replace).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains(".new is in the way"), "{error}");
        assert!(std::fs::read(&other).unwrap() == content && std::fs::read(home.path()).unwrap() == was);
    }
}

#[test]
fn rule_20_a_claim_that_a_dead_process_left_is_taken_over() {
    let (home, claim) = beside(".new", b"");
    full(&home);
    create(&home, Existing::Replace).unwrap().close().unwrap();
    assert!(!claim.exists());
}

#[test]
fn rule_20_what_has_the_name_of_a_log_and_is_none_stays() {
    let database = Home::file();
    full(&database);
    let database = std::fs::read(database.path()).unwrap();
    // What belongs to a file that is replaced may be anything, but another database.
    let cases =
        [(Existing::Keep, b"keep me".to_vec()), (Existing::Keep, database.clone()), (Existing::Replace, database)];
    for (suffix, (existing, content)) in
        ["-wal", "-journal"].into_iter().flat_map(|s| cases.iter().map(move |c| (s, c)))
    {
        let (home, other) = beside(suffix, content);
        let error = create(&home, *existing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("is in the way"), "{error}");
        assert!(std::fs::read(&other).unwrap() == *content && !home.path().exists(), "{suffix} {existing:?}");
    }
}

/// It may be all there is of a layer that was moved away, or of one that never reached its file.
#[test]
fn rule_20_a_log_that_holds_what_was_written_is_in_the_way() {
    let killed = Home::file();
    let layer = killed.create(disk_of(4));
    write(&layer, 0, 9, 4);
    layer.flush().unwrap();
    let log = std::fs::read(killed.path().with_extension("dbhd-wal")).unwrap();
    let journal = [&b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"[..], &[0; 600]].concat();
    for (suffix, content) in [("-wal", log), ("-journal", journal)] {
        for empty in [false, true] {
            let (home, other) = beside(suffix, &content);
            if empty {
                std::fs::write(home.path(), "").unwrap();
            }
            let error = create(&home, Existing::Keep).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert!(error.to_string().contains("a database that is not here"), "{error}");
            assert!(std::fs::read(&other).unwrap() == content && home.path().exists() == empty, "{suffix}");
            create(&home, Existing::Replace).unwrap().close().unwrap();
            assert_eq!(look(&home.open(), 0..4), [None; 4]);
        }
    }
}

#[test]
fn rule_20_a_log_without_a_commit_is_removed_whatever_is_left_of_it() {
    let journal = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1];
    let log = [0x37, 0x7f, 0x06, 0x82, 0, 0x2d, 0xe2, 0x18];
    for (suffix, content) in
        [("-wal", &log[..]), ("-journal", &journal), ("-wal", &[0; 600]), ("-journal", &[0; 3]), ("-wal", &[])]
    {
        let (home, other) = beside(suffix, content);
        full(&home);
        assert!(!other.exists() || suffix == "-wal" && std::fs::read(&other).unwrap() != content || content.is_empty());
    }
}

#[cfg(unix)]
#[test]
fn rule_20_who_may_use_the_old_file_may_use_the_one_in_its_place() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::file();
    full(&home);
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o600)).unwrap();
    create(&home, Existing::Replace).unwrap().close().unwrap();
    assert_eq!(std::fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o600);
}
