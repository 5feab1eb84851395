//! Scripts as tests in Rust.

use std::fmt::Write;

use super::Saved;

/// A file of tests, one for each script.
pub(super) fn tests(scripts: &[Saved]) -> String {
    let mut text = "use disklayer_sqlite::harness::{World, prove};\nuse disklayer_sqlite::script::Script;\n".to_owned();
    let mut names: Vec<String> = Vec::new();
    for saved in scripts {
        let mut name = name(saved);
        while names.contains(&name) {
            name += "_too";
        }
        text += &test(saved, &name);
        names.push(name);
    }
    text
}

fn test(saved: &Saved, name: &str) -> String {
    let story: String = saved.story.iter().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect();
    let mut text = format!("\n{story}#[test]\nfn {name}() {{\n");
    let _ = writeln!(text, "    let script = \"\\");
    saved.script.to_string().lines().for_each(|line| text += &format!("{line}\n"));
    text += "\";\n";
    text += "    let script: Script = script.parse().expect(\"a script\");\n";
    text += "    let mut world = World::new(None).expect(\"a place for the layers\");\n";
    text += "    if let Err(divergence) = prove(&script, &mut world) {\n";
    text += "        panic!(\"{divergence}\");\n    }\n}\n";
    text
}

/// The name of the file, as that of a function. A word alone may be one of the language, or what the file imports.
fn name(saved: &Saved) -> String {
    let file = saved.name.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".script");
    let letters = file.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let name: String = letters.collect();
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    match words[..] {
        [] | [_] => format!("script_{}", words.concat()),
        [first, ..] if first.starts_with(|c: char| c.is_ascii_digit()) => format!("script_{}", words.join("_")),
        _ => words.join("_"),
    }
}
