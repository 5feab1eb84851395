//! The text: what is read, what is refused with which sentence, and that writing and reading are inverse.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::resolver::{Description, MAX_LAYERS, Start};
use proptest::prelude::*;

fn parse(text: &str) -> Description {
    text.parse().expect(text)
}

/// The sentence, which must have the description and every one of `parts`.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let error = text.parse::<Description>().expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Syntax);
    let sentence = error.to_string();
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    for part in parts.iter().chain([&text]) {
        assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
    }
}

fn file(path: &str) -> Description {
    Description::File { path: path.to_owned() }
}

fn sql_diff(path: &str, start: Start, below: Description) -> Description {
    Description::SqlDiff { path: path.to_owned(), start, below: Box::new(below) }
}

fn auto_cache(key: &str, below: Description) -> Description {
    Description::AutoCache { key: key.to_owned(), below: Box::new(below) }
}

#[test]
fn the_example_of_the_design_is_a_new_layer_over_an_image() {
    assert_eq!(parse("sqldiff:top.dbhd;create:file:base.img"), sql_diff("top.dbhd", Start::Create, file("base.img")));
}

#[test]
fn lengths_are_powers_of_1024() {
    let lens = [("512", 512), ("64K", 64 << 10), ("64M", 64 << 20), ("1g", 1 << 30), ("1T", 1 << 40), ("0x1000", 4096)];
    for (text, len) in lens {
        assert_eq!(parse(&format!("mem:{text}")), Description::Mem { len });
        let path = "a.dbhd".to_owned();
        assert_eq!(parse(&format!("sql:a.dbhd;create={text}")), Description::Sql { path, create: Some(len) });
    }
}

#[test]
fn a_length_that_is_none_is_pointed_at() {
    for wrong in ["12Q", "M", "0x", "-1", "+1", "1.5G", "1 G", "64M;x", "1_000", "0x+1"] {
        refused(&format!("mem:{wrong}"), &["at byte 4", &format!("`{wrong}`"), "a length is expected"]);
    }
    refused("mem:", &["at its end", "a length is expected"]);
    refused("sql:a.dbhd;create=", &["at its end", "a length is expected"]);
}

#[test]
fn a_length_that_overflows_is_refused() {
    refused("mem:16777216T", &["at byte 4, `16777216T`", "does not fit in 64 bits"]);
    refused("mem:18446744073709551616", &["does not fit in 64 bits"]);
    assert_eq!(parse("mem:0xffffffffffffffff"), Description::Mem { len: u64::MAX });
}

#[test]
fn one_letter_is_a_drive_and_not_a_scheme() {
    assert_eq!(parse(r"d:\disk.img"), file(r"d:\disk.img"));
    assert_eq!(parse(r"file:d:\disk.img"), file(r"d:\disk.img"));
    let top = sql_diff(r"d:\top.dbhd", Start::Create, file("base.img"));
    assert_eq!(parse(r"sqldiff:d:\top.dbhd;create:file:base.img"), top);
    assert_eq!(parse(r"sqldiff:d:\top.dbhd:c:\base.img"), sql_diff(r"d:\top.dbhd", Start::Open, file(r"c:\base.img")));
}

#[test]
fn a_path_may_have_colons_behind_a_mark_of_a_path() {
    for path in ["/a/10:30.img", "./10:30", "10:30", "disk.img:7"] {
        assert_eq!(parse(&format!("file:{path}")), file(path));
    }
    assert_eq!(parse("/a/10:30.img"), file("/a/10:30.img"));
    assert_eq!(parse(r#""10:30;7""#), file("10:30;7"));
    assert_eq!(parse(r#"sqldiff:"a:""b""";create:b"#), sql_diff("a:\"b\"", Start::Create, file("b")));
}

#[test]
fn unknown_scheme_is_named_and_the_known_ones_are_listed() {
    refused("foo:bar", &["at byte 0, `foo:`", "mem, memdiff, sql, sqldiff, autocache, file"]);
    refused("memdiff:foo:bar", &["at byte 8, `foo:`", "unknown scheme"]);
    refused("MEM:64M", &["`MEM:`", "unknown scheme"]);
    refused(" mem:64M", &["` mem:`", "unknown scheme"]);
    refused(":x", &["at byte 0, `:`", "unknown scheme"]);
}

#[test]
fn a_missing_part_is_asked_for() {
    refused("", &["at its end", "a disk is expected"]);
    refused("memdiff:", &["at its end", "the disk below is expected"]);
    refused("sqldiff:a.dbhd", &["at its end", "the disk below"]);
    refused("sqldiff:a.dbhd:", &["at its end", "the disk below is expected"]);
    refused("sqldiff:a.dbhd;create", &["at its end", "the disk below"]);
    refused("sqldiff:a:base.img", &["the disk below", "one letter and `:` are a drive"]);
    refused("autocache:key", &["at its end", "the disk below"]);
    refused("sql:", &["at its end", "a path is expected"]);
    refused("sqldiff::mem:1M", &["at byte 8", "a path is expected"]);
}

#[test]
fn an_option_that_is_none_is_pointed_at() {
    refused("sql:a;creat=1M", &["at byte 6, `creat=1M`", "unknown option", "create=<length>"]);
    refused("sql:a;create", &["`create`", "create=<length>"]);
    refused("sqldiff:a.dbhd;create=1M:mem:1M", &["at byte 15, `create=1M`", "unknown option"]);
    refused("sqldiff:a.dbhd;:mem:1M", &["unknown option"]);
    refused("file:a.img;create=1M", &["`;create=1M`", "nothing is expected", "quotes"]);
}

#[test]
fn trailing_garbage_is_pointed_at() {
    refused("sql:a;create=1M;x", &["at byte 13, `1M;x`"]);
    refused(r#"file:"a"b"#, &["at byte 8, `b`", "nothing is expected"]);
    refused(r#"sql:"a":mem:1M"#, &["`:mem:1M`", "nothing is expected"]);
    refused(r#"sqldiff:"a"b:mem:1M"#, &["`b:mem:1M`", "`:` and the disk below"]);
    refused(r#"file:"a"#, &["at byte 5, `\"a`", "the quote is not closed"]);
}

#[test]
fn a_forgotten_key_or_path_is_not_taken_from_the_disk_below() {
    refused("autocache:file:base.img", &["at byte 10, `file`", "a key is expected"]);
    refused("sqldiff:mem:64M", &["at byte 8, `mem`", "the path of a layer is expected"]);
    assert_eq!(parse("autocache::file:base.img"), auto_cache("", file("base.img")));
    assert_eq!(parse(r#"autocache:"file":base.img"#), auto_cache("file", file("base.img")));
}

#[test]
fn nesting_ends_at_the_limit() {
    let of_layers = |count: usize| "memdiff:".repeat(count - 1) + "mem:1M";
    parse(&of_layers(MAX_LAYERS));
    let error = of_layers(MAX_LAYERS + 1).parse::<Description>().expect_err("too deep");
    assert!(error.kind() == ErrorKind::Syntax && error.to_string().contains("at byte 256, `mem:1M`"), "{error}");
    assert!(of_layers(200_000).parse::<Description>().is_err());
}

#[test]
fn a_sentence_stays_short_and_on_one_line() {
    let error = format!("mem:\n\u{1b}{}", "x".repeat(1 << 20)).parse::<Description>().expect_err("no length");
    let sentence = error.to_string();
    assert!(sentence.len() < 600 && sentence.contains(r"mem:\n\u{1b}xxx") && sentence.lines().count() == 1);
}

#[test]
fn a_description_is_plain_json() {
    let description = parse("autocache:k:sqldiff:top.dbhd;create:sql:base.dbhd");
    let json = concat!(
        r#"{"autocache":{"key":"k","below":{"sqldiff":{"path":"top.dbhd","start":"create","#,
        r#""below":{"sql":{"path":"base.dbhd"}}}}}}"#
    );
    assert_eq!(serde_json::to_string(&description).expect("json"), json);
    assert_eq!(serde_json::from_str::<Description>(json).expect("a description"), description);
}

/// Text that is mostly delimiters, schemes and quotes.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "mem:",
            "memdiff:",
            "sql:",
            "sqldiff:",
            "autocache:",
            "file:",
            ";create",
            "=",
            ";",
            ":",
            "\"",
            "64M",
            "0x",
            "d:\\",
            "d",
            "a.dbhd",
            "/",
            "é",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn description() -> impl Strategy<Value = Description> {
    let bottom = prop_oneof![
        any::<u64>().prop_map(|len| Description::Mem { len }),
        (0..8_u64, 0..54_u32).prop_map(|(n, shift)| Description::Mem { len: n << shift }),
        (text(), any::<Option<u64>>()).prop_map(|(path, create)| Description::Sql { path, create }),
        text().prop_map(|path| Description::File { path }),
    ];
    bottom.prop_recursive(6, 6, 1, |below| {
        let start = prop::sample::select(vec![Start::Open, Start::Create]);
        prop_oneof![
            below.clone().prop_map(|below| Description::MemDiff { below: Box::new(below) }),
            (text(), start, below.clone()).prop_map(|(path, start, below)| sql_diff(&path, start, below)),
            (text(), below).prop_map(|(key, below)| auto_cache(&key, below)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_what_is_read_is_written_back(text in prop_oneof![text(), any::<String>()]) {
        if let Ok(description) = text.parse::<Description>() {
            prop_assert_eq!(description.to_string().parse::<Description>().expect("its own text"), description);
        }
    }

    #[test]
    fn what_is_written_is_read_back(description in description()) {
        let text = description.to_string();
        prop_assert_eq!(text.parse::<Description>().expect("its own text"), description.clone());
        let json = serde_json::to_string(&description).expect("json");
        prop_assert_eq!(serde_json::from_str::<Description>(&json).expect("its own json"), description);
    }
}
