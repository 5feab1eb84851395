#!/bin/bash -eu
# Builds every fuzz target into $OUT, with its seeds, its options and its words, as ClusterFuzzLite and OSS-Fuzz want it.
cd "$SRC/disklayer_sqlite"
# For coverage the image puts flags of its own in the place of cargo-fuzz's.
case "${SANITIZER:-address}" in
    none | coverage) sanitizer=none ;;
    *) sanitizer=address ;;
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
