//! The house: floors without cycles, SQL in one place, files that can be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which floor a module stands on: that of its longest matching path.
const FLOORS: [(&str, u32); 24] = [
    ("error", 0),
    ("fault", 0),
    ("sync", 0),
    ("geometry", 1),
    ("request", 1),
    ("strike", 1),
    ("script/op", 1),
    ("script/outcome", 2),
    ("layer", 2),
    ("layer/file", 3),
    ("layer/ram", 3),
    ("layer/sqlite", 3),
    ("stack", 3),
    ("drive", 3),
    ("oracle", 3),
    ("script", 3),
    ("script/choices", 3),
    ("script/text", 3),
    ("script/generate", 4),
    ("script/simplify", 4),
    ("resolver", 4),
    ("harness", 5),
    ("cli", 6),
    ("main", 6),
];

/// The rooms of floor 3 must not know one another.
const BLIND: [&str; 5] = ["stack", "oracle", "script", "layer/", "drive"];

fn sources() -> BTreeMap<String, String> {
    fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let name =
        |path: &PathBuf| path.strip_prefix(&root).unwrap().with_extension("").to_str().unwrap().replace('\\', "/");
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn floor(module: &str) -> u32 {
    let stands_on = |floor: &&(&str, u32)| module == floor.0 || module.starts_with(&format!("{}/", floor.0));
    let found = FLOORS.iter().filter(stands_on).max_by_key(|(path, _)| path.len());
    found.unwrap_or_else(|| panic!("{module} stands on no floor: give it one")).1
}

/// The modules that a source names as `crate::…`.
fn imports(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = Vec::new();
    for line in code {
        for part in line.split("crate::").skip(1) {
            let path: String = part.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
            names.push(path.split("::").next().unwrap().to_owned());
        }
    }
    names
}

#[test]
fn a_file_imports_only_from_its_own_floor_or_lower_ones() {
    let mut wrong = Vec::new();
    for (module, source) in sources().iter().filter(|(module, _)| *module != "lib") {
        for import in imports(source) {
            // The face of the script is where its parts of all floors are named.
            let below = if import == "script" { floor("script/op") } else { floor(&import) };
            if below > floor(module) {
                wrong.push(format!("{module} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rooms_of_the_third_floor_are_blind_to_one_another() {
    let mut wrong = Vec::new();
    for (module, source) in &sources() {
        let Some(room) = BLIND.iter().find(|room| module.starts_with(**room)) else { continue };
        for import in imports(source) {
            let another = ["stack", "oracle", "drive"].contains(&import.as_str()) && !module.starts_with(&import);
            let shared_words = import == "script" && *room == "oracle";
            let of_the_script = import == "script" && !module.starts_with("script") && !shared_words;
            if another || of_the_script {
                wrong.push(format!("{module} knows {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_oracle_takes_types_from_the_system_and_no_logic() {
    for (module, source) in sources().iter().filter(|(module, _)| module.starts_with("oracle")) {
        let allowed = [
            "use crate::layer::{Access, UnmapBehavior};",
            "use crate::layer::{Access, Presence, UnmapBehavior};",
            "use crate::layer::Access;",
        ];
        for line in source.lines().filter(|line| line.contains("crate::layer") || line.contains("crate::stack")) {
            assert!(allowed.contains(&line.trim()), "{module}: {line}");
        }
        assert!(!source.contains("crate::geometry"), "{module}: the oracle has its own arithmetic");
    }
}

#[test]
fn sql_appears_only_under_the_sqlite_layer() {
    // The drive is a VFS: it knows SQLite's C interface, and no SQL.
    let may = |module: &str| module.starts_with("layer/sqlite") || module == "drive/vfs";
    for (module, source) in sources().iter().filter(|(module, _)| !may(module)) {
        assert!(!source.contains("rusqlite"), "{module} knows SQLite");
    }
}

#[test]
fn a_file_is_one_room_and_says_what_it_is() {
    for (module, source) in &sources() {
        let lines = source.lines().count();
        assert!(lines <= 400, "{module} has {lines} lines: is it one room, or several?");
        assert!(source.starts_with("//! "), "{module} does not say what it is");
        let vague = ["mod", "utils", "common", "helpers"];
        assert!(!vague.contains(&module.rsplit('/').next().unwrap()), "{module} is a name for anything");
    }
}

/// The lines of `docs/coverage.md` that say what is not run: the file, the functions, and how many lines of each. One that
/// has no functions is about all of the file.
fn not_run(page: &str) -> Vec<(String, Vec<(String, usize)>)> {
    let counted = |part: &str| -> (String, usize) {
        let (name, count) = part.trim().rsplit_once(' ').unwrap_or_else(|| panic!("`{part}` has no count"));
        (name.trim_matches('`').to_owned(), count.parse().unwrap_or_else(|_| panic!("`{part}` has no count")))
    };
    let page = page.replace("\n  ", " ");
    let lines = page.lines().filter_map(|line| line.strip_prefix("- `"));
    let files = lines.map(|line| {
        let (file, functions) = line.split_once("`: ").unwrap_or_else(|| panic!("{line} has no functions"));
        (file.to_owned(), functions.split(',').map(counted).collect())
    });
    files.collect()
}

#[test]
fn what_the_page_on_coverage_names_is_there_and_its_numbers_add_up() {
    let page = include_str!("../docs/coverage.md");
    let sources = sources();
    for (file, functions) in not_run(page) {
        let source = file.strip_suffix(".rs").and_then(|module| sources.get(module));
        let source = source.unwrap_or_else(|| panic!("{file} is not there"));
        for (function, _) in functions {
            // Those of SQLite's tables are made by a macro.
            let heads = ["fn {}(", "fn {}<", "{}(connection"].map(|head| head.replace("{}", &function));
            let is_there = function == "all" || heads.iter().any(|head| source.contains(head));
            assert!(is_there, "{file} has no {function}");
        }
    }
    // The heading of each part ends with its number of lines.
    let mut total = 0;
    for part in page.split("\n### ").skip(1) {
        let heading = part.lines().next().unwrap();
        let said: usize = heading.rsplit_once(": ").and_then(|(_, count)| count.parse().ok()).unwrap();
        let counted: usize = not_run(part).iter().flat_map(|(_, functions)| functions).map(|(_, count)| count).sum();
        assert_eq!(said, counted, "{heading}");
        total += said;
    }
    let said = format!("{total} lines are not run");
    assert!(page.replace('\n', " ").contains(&said), "the parts have {total} lines together");
}
