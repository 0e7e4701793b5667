#!/usr/bin/env bash
# Moves the wall clocks of a real cluster apart and says whether anything was lost: README.md beside this file.
#   clocks.sh [--bin BUILD] [--port N] [--seconds N] [--jumps N]
# --bin names a finished build folder; without it the release preset is built.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

bin="" words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin=$(realpath "${2:?--bin wants a build folder}"); shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done
if [ -z "$bin" ]; then
  "$root/deploy/local/install.sh" --tests
  bin="$root/build/release"
  (cd "$root" && cmake --preset release > /dev/null && cmake --build --preset release)
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/rondel-clocks-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
clang++-19 -std=c++23 -O1 -Wall -Wextra -shared -fPIC -o "$work/shifted_clock.so" "$root/tests/chaos/shifted_clock.cc"
RONDEL_BUILD=$bin /usr/bin/python3 "$root/tests/chaos/clocks.py" --work "$work" "${words[@]+"${words[@]}"}"
