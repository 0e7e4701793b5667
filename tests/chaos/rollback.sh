#!/usr/bin/env bash
# Sets the database of a real cluster back, and says whether anything it refers to was lost: README.md beside this file.
#   rollback.sh [--bin BUILD] [--port N] [--seed N] [--only NAME]...
# --bin names a finished build folder; without it the release preset is built.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

source "$root/deploy/local/take_build.sh"
take_bin "$@"
[ -n "$bin" ] || "$root/deploy/local/install.sh" --tests
build_release_unless_named
RONDEL_BUILD=$bin exec /usr/bin/python3 "$root/tests/chaos/rollback.py" "${words[@]+"${words[@]}"}"
