//! What once failed, as text, forever; and the text form itself.

use std::path::Path;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::fault::{self, Fault};
use disklayer_sqlite::harness::{World, prove};
use disklayer_sqlite::script::{Bias, Profile, Script, SeedChoices, Suite};

use crate::formats::runs_alike;

#[test]
fn every_saved_script_passes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut world = World::new(None).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{}: a saved script begins with its story", path.display());
        let script: Script = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        prove(&script, &mut world).unwrap_or_else(|divergence| panic!("{}: {divergence}", path.display()));
        runs_alike(&script, None, &mut world);
        seen += 1;
    }
    assert!(seen > 0, "no script was found");
}

#[test]
fn a_layer_that_has_lost_something_is_described_by_the_first_sector_of_it() {
    let cases = [
        ("write @0 2 2 stamp 1", "does not have it"),
        ("write @0 0 4 stamp 1 fua\nwrite @0 2 2 stamp 2", "has other bytes there"),
    ];
    for (writes, how) in cases {
        let text = format!("disk 512\nlayer sqlite 4\n{writes}\nflush @0\nread 0 1 ! cut after 0 writes, lose all\n");
        let (script, mut world) = (text.parse::<Script>().unwrap(), World::new(None).unwrap());
        prove(&script, &mut world).unwrap();
        let lost = fault::with(Fault::FlushDoesNothing, || prove(&script, &mut world));
        let found = lost.expect_err("a flush that was none");
        let told = format!("from the latest it differs first in sector 2, and {how}");
        assert!(found.to_string().contains(&told), "{found}");
    }
}

#[test]
fn text_and_debug_of_a_script_are_read_back() {
    for case in 0..600 {
        let bias = if case % 2 == 0 { Bias::Swarm } else { Bias::Uniform };
        let profile = Profile { bias, ..Profile::new(Suite::ALL[case as usize % Suite::ALL.len()]) };
        let script = Script::generate(&profile, &mut SeedChoices::new(3, case));
        assert_eq!(script.to_string().parse::<Script>().unwrap(), script);
        assert_eq!(format!("{script:?}").parse::<Script>().unwrap(), script);
        assert!(!format!("{script:?}").contains('\n'));
    }
}

#[test]
fn what_strikes_an_operation_is_read_back() {
    let strikes = [
        "cut after 2 writes, lose none",
        "cut after 0 writes, lose all",
        "cut after 7 writes, lose some 77",
        "cut after 7 writes, lose 1 4 9",
        "cut after 7 writes, lose 1 4 9 then after 1 writes, lose some 3 then after 0 writes, lose all",
        "fail call 3 with full",
        "fail call 12 and on with error",
    ];
    for strike in strikes {
        let text = format!("disk 512\nlayer sqlite 8\nwrite 0 1 stamp 1 fua ! {strike}\nread 0 1\n");
        let script: Script = text.parse().unwrap();
        assert_eq!(script.to_string(), text);
        assert_eq!(format!("{script:?}").parse::<Script>().unwrap(), script);
        assert!(script.simpler().iter().any(|simpler| simpler.lines[0].strike.is_none()));
        for simpler in script.simpler() {
            assert_eq!(simpler.to_string().parse::<Script>().unwrap(), simpler);
        }
    }
}

#[test]
fn a_wrong_line_is_named_with_what_was_expected() {
    let cases = [
        ("", "`disk SECTOR_SIZE`"),
        ("layer ram 4", "line 1, `layer ram 4`: expected `disk SECTOR_SIZE`"),
        ("disk 500", "line 1, `disk 500`: expected a power of two from 512 to 65536"),
        ("disk 512\nlayer tape 4", "line 2, `layer tape 4`: expected `layer sqlite`"),
        ("disk 512\nlayer ram 0", "line 2, `layer ram 0`: expected 1 sector"),
        ("disk 512\nlayer ram 4 diff", "line 2, `layer ram 4 diff`: expected `diff` (sqlite)"),
        ("disk 512\nlayer ram 4\nraed 0 1", "line 3, `raed 0 1`: expected an operation"),
        ("disk 512\nlayer ram 4\nread 0", "line 3, `read 0`: expected a count"),
        ("disk 512\nlayer ram 4\nread 0 x", "line 3, `read 0 x`: expected a count, not `x`"),
        ("disk 512\nlayer ram 4\nread 0 1 2", "line 3, `read 0 1 2`: expected nothing more, not `2`"),
        ("disk 512\nlayer ram 4\nwrite 0 1 stump 2", "expected `stamp N`, `zeros`, `fill BYTE` or `byte PLACE BYTE`"),
        ("disk 512\nlayer ram 4\nwrite 0 1 fill 256", "expected a byte, not `256`"),
        ("disk 512\nlayer ram 4\nread @x 0 1", "expected the number of a layer after `@`"),
        ("disk 512\nlayer ram 4\nfill 0 1 zeros", "expected an operation"),
        ("disk 512\nlayer ram 4\nunmap @0 0 1", "expected `forget` or `remember`"),
        ("disk 512\nlayer ram 4\nread 0 4000000000", "expected a buffer of at most 64 MiB"),
        ("disk 512\nlayer ram 99999999 filled 1", "expected a layer of at most 256 MiB"),
        ("disk 512\nlayer ram 4\nread 0 1\nlayer ram 4", "line 4, `layer ram 4`: expected every `layer` before"),
        ("disk 512 ! cut after 1 writes, lose all", "expected a `!` only after an operation"),
        ("disk 512\nlayer ram 4\nflush ! crash", "expected `cut` or `fail` after the `!`"),
        ("disk 512\nlayer ram 4\nflush ! cut after 1 writes lose 1", "expected `writes,` and then `lose`"),
        ("disk 512\nlayer ram 4\nflush ! cut after 1 writes, lose x", "expected `none`, `all`, `some SEED`, or the"),
        ("disk 512\nlayer ram 4\nflush ! fail call 1 with rage", "expected `error` or `full`"),
        ("disk 512\ndisk 512", "line 2, `disk 512`: expected `disk` only once"),
    ];
    for (text, expected) in cases {
        let error = text.parse::<Script>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert!(error.to_string().contains(expected), "{text:?} gave {error}");
    }
}

#[test]
fn a_script_is_read_whatever_its_editor_ends_lines_with_and_begins_a_file_with() {
    let text = "disk 512\nlayer ram 4\nwrite 0 1 zeros\n";
    let script: Script = text.parse().unwrap();
    for text in [format!("\u{feff}{text}"), text.replace('\n', "\r\n"), text.replace(' ', "\t")] {
        assert_eq!(text.parse::<Script>().unwrap(), script, "{text:?}");
    }
}

#[test]
fn deleting_any_line_leaves_a_script_that_passes() {
    let mut world = World::new(None).unwrap();
    for case in 0..20 {
        let profile = Profile { max_ops: 20, ..Profile::new(Suite::ALL[case as usize % Suite::ALL.len()]) };
        let script = Script::generate(&profile, &mut SeedChoices::new(5, case));
        for at in 0..script.lines.len() {
            prove(&script.without_ops(at..at + 1), &mut world).unwrap();
        }
        for simpler in script.simpler() {
            prove(&simpler, &mut world).unwrap();
        }
    }
}
