use disklayer_sqlite::harness::{World, prove};
use disklayer_sqlite::script::Script;

/// A write under an unmap.
#[test]
fn a_write_under_an_unmap() {
    let script = "\
disk 512
layer sqlite 64 diff
layer ram 64 read-cache
layer file 96 filled 9
write 40 3 stamp 7
unmap 41 2
read 39 5
";
    let script: Script = script.parse().expect("a script");
    let mut world = World::new(None).expect("a place for the layers");
    if let Err(divergence) = prove(&script, &mut world) {
        panic!("{divergence}");
    }
}

#[test]
fn script_crate() {
    let script = "\
disk 512
layer ram 8
read 0 1
";
    let script: Script = script.parse().expect("a script");
    let mut world = World::new(None).expect("a place for the layers");
    if let Err(divergence) = prove(&script, &mut world) {
        panic!("{divergence}");
    }
}

#[test]
fn script_prove() {
    let script = "\
disk 512
layer ram 8
read 0 1
";
    let script: Script = script.parse().expect("a script");
    let mut world = World::new(None).expect("a place for the layers");
    if let Err(divergence) = prove(&script, &mut world) {
        panic!("{divergence}");
    }
}
