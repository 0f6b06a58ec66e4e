#!/bin/sh
# Fills the corpus of the RDB targets from the fixtures, so that they need not be kept twice.
set -eu
cd "$(dirname "$0")"
fixtures=../tests/fixtures/rdb
mkdir -p corpus/rdb_parser corpus/dump corpus/append_only
for file in "$fixtures"/*/*.rdb; do
    # Long inputs only slow the fuzzer down.
    if [ "$(wc -c <"$file")" -lt 16384 ]; then
        cp "$file" "corpus/rdb_parser/$(basename "$(dirname "$file")")-$(basename "$file")"
    fi
done
cp "$fixtures"/corrupt-dump-payloads/*.dump corpus/dump/

# Commands as a server writes them, each alone and all behind a dump.
all=corpus/append_only/all
cp ../examples/shop.rdb "$all"
while read -r line; do
    set -- $line
    {
        printf '*%d\r\n' $#
        for word; do printf '$%d\r\n%s\r\n' "${#word}" "$word"; done
    } >"corpus/append_only/$1"
    cat "corpus/append_only/$1" >>"$all"
done <<'COMMANDS'
SELECT 0
SET s 12 PXAT 4000000000000
SETRANGE s 3 2
BITFIELD s SET u8 #1 7 OVERFLOW SAT INCRBY i5 3 9
BITOP NOT t s
PFADD p a b c
PFMERGE q p
MULTI
RPUSH l 1 2 3
LTRIM l -2 9
LINSERT l BEFORE 2 x
SORT l LIMIT 0 3 STORE m
SADD u 1 a
SUNIONSTORE v u
HSET h f v
HPEXPIREAT h 4000000000000 FIELDS 1 f
EXEC
ZADD z 1 m
ZUNIONSTORE y 2 z u WEIGHTS 2 3 AGGREGATE MAX
ZRANGESTORE x y (1 5 BYSCORE LIMIT 0 2
GEOSEARCHSTORE g z FROMLONLAT 1 2 BYBOX 3 4 km COUNT 5 STOREDIST
XADD e 1-1 f v
XGROUP CREATE e g 0
XCLAIM e g c 0 1-1 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1
XTRIM e MAXLEN 0
COPY l b DB 4
SWAPDB 0 1
FLUSHDB
COMMANDS
