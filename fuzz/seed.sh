#!/bin/sh
# Fills the corpus of the RDB targets from the fixtures, so that they need not be kept twice.
set -eu
cd "$(dirname "$0")"
fixtures=../tests/fixtures/rdb
mkdir -p corpus/rdb_parser corpus/dump
for file in "$fixtures"/*/*.rdb; do
    # Long inputs only slow the fuzzer down.
    if [ "$(wc -c <"$file")" -lt 16384 ]; then
        cp "$file" "corpus/rdb_parser/$(basename "$(dirname "$file")")-$(basename "$file")"
    fi
done
cp "$fixtures"/corrupt-dump-payloads/*.dump corpus/dump/
