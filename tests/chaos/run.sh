#!/usr/bin/env bash
# Breaks a real cluster under load and says whether anything acknowledged was lost: README.md beside this file.
#   run.sh [--bin BUILD] [--port N] [--seconds N] [--rounds N] [--seed N] [--only NAME]...
# --bin names a finished build folder; without it the release preset is built.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

source "$root/deploy/local/take_build.sh"
take_bin "$@"
[ -n "$bin" ] || "$root/deploy/local/install.sh" --tests
build_release_unless_named

work=$(mktemp -d "${TMPDIR:-/tmp}/rondel-chaos-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
clang++-19 -std=c++23 -O1 -Wall -Wextra -shared -fPIC -o "$work/faulty_disk.so" "$root/tests/chaos/faulty_disk.cc"
RONDEL_BUILD=$bin /usr/bin/python3 "$root/tests/chaos/chaos.py" --work "$work" "${words[@]+"${words[@]}"}"
