#!/bin/bash -eu
# Builds every fuzz target into $OUT, with its seeds, its options and its words, as ClusterFuzzLite and OSS-Fuzz want it.
# `cargo fuzz` takes the sanitizer's flags from RUSTFLAGS of the image, and $CFLAGS build SQLite.
cd "$SRC/disklayer_sqlite"
case "${SANITIZER:-address}" in
    address | none) sanitizer="${SANITIZER:-address}" ;;
    # The image's own flags are for coverage; cargo-fuzz's are not wanted beside them.
    coverage) sanitizer=none ;;
    *) echo "a Rust project has no sanitizer ${SANITIZER}" >&2; exit 1 ;;
esac
cargo fuzz build -O --sanitizer "$sanitizer"

built=fuzz/target/x86_64-unknown-linux-gnu/release
for source in fuzz/targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "$built/$target" "$OUT/"
    (cd "fuzz/seeds/$target" && zip -q -r "$OUT/${target}_seed_corpus.zip" .)
    if [ -f "fuzz/options/$target.options" ]; then cp "fuzz/options/$target.options" "$OUT/"; fi
    if [ -f "fuzz/options/$target.dict" ]; then cp "fuzz/options/$target.dict" "$OUT/"; fi
done
