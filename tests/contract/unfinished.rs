//! Rule 20: who is killed while he fills a new file leaves no more than the next one takes away.

use std::path::Path;

use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::layer::{
    Existing, Format, IncompleteFormatParams, LayerIo, Mode, Options, Progress, SqliteDiskLayer, compact, upgrade,
};

use super::child::{Child, say};
use super::media::{FORMATS, Home, disk_of, full_ram, look, refused};

/// Several parts of a copy.
const SECTORS: u64 = 16 * 1024;
const DRAFT: &str = "layer.dbhd.new0";

fn import(place: &Path, format: Format, watch: &mut dyn FnMut(Progress) -> Result<()>) -> Result<SqliteDiskLayer> {
    let (size, options) = (IncompleteFormatParams::default(), Options { format, ..Options::default() });
    SqliteDiskLayer::import(place, size, &full_ram(disk_of(SECTORS), 6), Existing::Replace, &options, watch)
}

/// The child: an import that waits after each part.
pub(super) fn import_by_parts(place: &Path, format: usize) {
    let ended = import(place, FORMATS[format], &mut |_| {
        say("part");
        let _ = std::io::stdin().read_line(&mut String::new());
        Ok(())
    });
    say(&format!("{:?}", ended.map(drop)));
}

/// An import that has come to its second part.
fn at_work(home: &Home, format: usize) -> Child {
    let mut child = Child::start(&format!("import {format}"), &home.path());
    child.expect("part");
    child.go();
    child.expect("part");
    child
}

/// What lies beside the file and is not its own.
fn left(home: &Home) -> Vec<String> {
    let names = std::fs::read_dir(home.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.contains(".new"));
    names.sort();
    names
}

#[test]
fn rule_20_what_is_left_of_a_killed_import_goes_with_the_next_one() {
    for (number, format) in FORMATS.into_iter().enumerate() {
        let home = Home::file();
        let (child, draft) = (at_work(&home, number), home.directory().join(DRAFT));
        refused(import(&home.path(), format, &mut |_| Ok(())), ErrorKind::Busy);
        assert_eq!(left(&home), ["layer.dbhd.new", DRAFT], "at work");
        child.kill();
        assert_eq!(left(&home), ["layer.dbhd.new", DRAFT], "killed");
        refused(SqliteDiskLayer::open(&*draft, Mode::ReadWrite, &Options::default()), ErrorKind::NotADisk);
        import(&home.path(), format, &mut |_| Ok(())).unwrap().close().unwrap();
        assert_eq!(left(&home), [""; 0]);
        assert_eq!(look(&home.open(), 0..2), [Some(6); 2]);
    }
}

#[test]
fn rule_20_what_is_left_of_a_killed_import_goes_with_whatever_writes_the_file_anew() {
    type Rewrite = fn(&Path) -> Result<()>;
    let all: [(Format, Rewrite); 2] = [
        (Format::One, |path| compact(path, &Options::default(), &mut |_| Ok(())).map(drop)),
        (Format::Original, |path| upgrade(path, &Options::default(), &mut |_| Ok(())).map(drop)),
    ];
    for (format, rewrite) in all {
        let home = Home::file();
        import(&home.path(), format, &mut |_| Ok(())).unwrap().close().unwrap();
        at_work(&home, 0).kill();
        assert_eq!(left(&home), ["layer.dbhd.new", DRAFT]);
        rewrite(&home.path()).unwrap();
        assert_eq!(left(&home), [""; 0]);
    }
}

/// It is known by what is in it, and not by its name alone.
#[test]
fn rule_20_a_file_of_somebody_with_the_name_of_a_draft_stays() {
    let (whole, unfinished) = (Home::file(), Home::file());
    import(&whole.path(), Format::One, &mut |_| Ok(())).unwrap().close().unwrap();
    let whole = std::fs::read(whole.path()).unwrap();
    at_work(&unfinished, 0).kill();
    let unfinished = std::fs::read(unfinished.directory().join(DRAFT)).unwrap();
    let nameless = [&[1; 16][..], &unfinished[16..]].concat();
    for content in [b"keep me".to_vec(), whole, unfinished[..71].to_vec(), nameless] {
        let home = Home::file();
        let other = home.directory().join(DRAFT);
        std::fs::write(&other, &content).unwrap();
        import(&home.path(), Format::One, &mut |_| Ok(())).unwrap().close().unwrap();
        assert!(std::fs::read(&other).unwrap() == content);
        assert_eq!(left(&home), [DRAFT]);
    }
}
