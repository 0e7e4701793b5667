#!/usr/bin/env bash
# Pulls every alert of rules.yaml by a real fault on a real cluster and says how long each took: README.md beside this file.
#   drill.sh [--bin BUILD] [--port N] [--only FAULT]... [--list]
# --bin names a finished build folder; without it the release preset is built. As root: PostgreSQL runs as a user of its own.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

source "$root/deploy/local/take_build.sh"
take_bin "$@"
drill() { RONDEL_BUILD=$bin /usr/bin/python3 "$root/deploy/monitoring/drill/drill.py" "$@" "${words[@]+"${words[@]}"}"; }
case " ${words[*]-} " in *" --list "* | *" --help "* | *" -h "*) drill; exit ;; esac
[ -n "$bin" ] || "$root/deploy/local/install.sh" --tests
build_release_unless_named

work=$(mktemp -d "${TMPDIR:-/tmp}/rondel-drill-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
for library in faulty_disk shifted_clock; do
  clang++-19 -std=c++23 -O1 -Wall -Wextra -shared -fPIC -o "$work/$library.so" "$root/tests/chaos/$library.cc"
done
drill --work "$work"
