#!/usr/bin/env bash
# Breaks a real cluster under load and says whether anything acknowledged was lost: README.md beside this file.
#   run.sh [--bin BUILD] [--port N] [--seconds N] [--rounds N] [--seed N] [--only NAME]...
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

work=$(mktemp -d "${TMPDIR:-/tmp}/rondel-chaos-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
clang++-19 -std=c++23 -O1 -Wall -Wextra -shared -fPIC -o "$work/faulty_disk.so" "$root/tests/chaos/faulty_disk.cc"
RONDEL_BUILD=$bin /usr/bin/python3 "$root/tests/chaos/chaos.py" --work "$work" "${words[@]+"${words[@]}"}"
