# A menu over scripts/: each recipe is one script, which works without just as well.

# What there is to do
[private]
default:
    @just --list --unsorted

# Everything that CI does
ci:
    .ci/run

# All tests, after installing what they need (arguments: those of cargo test)
test *args:
    scripts/test {{ args }}

# Format everything
fmt:
    scripts/fmt --write

# Clippy, with every feature and with none
clippy:
    scripts/clippy

# The API documentation
doc:
    scripts/doc

# Licences, bans, sources, advisories of what we depend on
deny:
    scripts/deny

# Fuzz every target, for so many seconds in all
fuzz seconds="60":
    scripts/fuzz {{ seconds }}

# Install the servers and tools that the tests use
setup:
    scripts/setup

# DynamoDB Local on 127.0.0.1, until Ctrl-C
dynamodb-local port="8000":
    scripts/dynamodb-local/run {{ port }}

# The table of docs/reference/performance.md (arguments: see scripts/bench --help)
bench *args:
    scripts/bench {{ args }}

# `elt` against DuckDB and PySpark (arguments: see scripts/bench-elt --help)
bench-elt *args:
    scripts/bench-elt {{ args }}

# `migrate` between live servers (arguments: see scripts/bench-live --help)
bench-live *args:
    scripts/bench-live {{ args }}

# What CI has no time for: older and newer servers, more kills, an hour of fuzzing
nightly *args:
    scripts/nightly {{ args }}

# A generated RDB file (arguments: see scripts/generate --help)
generate *args:
    scripts/generate {{ args }}
