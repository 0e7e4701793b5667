#!/usr/bin/env bash
# Sets the database of a real cluster back, and says whether anything it refers to was lost: README.md beside this file.
#   rollback.sh [--bin BUILD] [--port N] [--seed N] [--only NAME]...
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
RONDEL_BUILD=$bin exec /usr/bin/python3 "$root/tests/chaos/rollback.py" "${words[@]+"${words[@]}"}"
