#!/usr/bin/env bash
# Attacks a real cluster for a while each, and says what somebody else saw of it: README.md beside this file.
#   run.sh [--bin BUILD] [--base-bin BUILD] [--seconds N] [--only NAME]... [--list]
# --bin and --base-bin name finished build folders, of this tree (build/release) and of an older checkout.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

source "$root/deploy/local/take_build.sh"
take_bin "$@"
bin=${bin:-$root/build/release}
[ -x "$bin/bin/rondel-gateway" ] || { echo "run.sh: $bin holds no build (bin/rondel-gateway is missing)" >&2; exit 2; }

# Attackers open thousands of connections.
ulimit -n "$(ulimit -H -n)" 2> /dev/null || true
RONDEL_BUILD=$bin exec /usr/bin/python3 "$root/tests/hostile/hostile.py" "${words[@]+"${words[@]}"}"
