#!/usr/bin/env bash
# Moves the wall clocks of a real cluster apart and says whether anything was lost: README.md beside this file.
#   clocks.sh [--bin BUILD] [--port N] [--seconds N] [--jumps N]
# --bin names a finished build folder; without it the release preset is built.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

source "$root/deploy/local/take_build.sh"
take_bin "$@"
[ -n "$bin" ] || "$root/deploy/local/install.sh" --tests
build_release_unless_named

work=$(mktemp -d "${TMPDIR:-/tmp}/rondel-clocks-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
clang++-19 -std=c++23 -O1 -Wall -Wextra -shared -fPIC -o "$work/shifted_clock.so" "$root/tests/chaos/shifted_clock.cc"
RONDEL_BUILD=$bin /usr/bin/python3 "$root/tests/chaos/clocks.py" --work "$work" "${words[@]+"${words[@]}"}"
