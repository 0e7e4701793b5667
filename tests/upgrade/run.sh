#!/usr/bin/env bash
# Runs the gateway of an earlier commit beside the one of this tree, on one database: README.md beside this file.
#   run.sh [BASE] [--bin BUILD] [--base-bin BUILD] [--preset P] [--seconds N] [--port N]
# BASE: the commit that migrations/UPGRADE_BASE names unless another one is given. --bin, --base-bin name finished
# build folders of this tree and of BASE; what is not given is built with the preset (release).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

base="" bin="" base_bin="" preset=release words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin=$(realpath "${2:?--bin wants a build folder}"); shift 2 ;;
    --base-bin) base_bin=$(realpath "${2:?--base-bin wants a build folder}"); shift 2 ;;
    --preset) preset=${2:?--preset wants a name}; shift 2 ;;
    --seconds|--port) words+=("$1" "${2:?$1 wants a number}"); shift 2 ;;
    -*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
    *) base=$1; shift ;;
  esac
done
base=${base:-$(cat "$root/migrations/UPGRADE_BASE")}
commit=$(git -C "$root" rev-parse --verify --quiet "$base^{commit}") || { echo "run.sh: $base is no commit" >&2; exit 2; }

build() {  # FOLDER
  (cd "$1" && cmake --preset "$preset" > /dev/null &&
     cmake --build --preset "$preset" --target rondel rondel_gateway rondel_node)
}

tree=$(mktemp -d "${TMPDIR:-/tmp}/rondel-upgrade-XXXXXX")
trap 'git -C "$root" worktree remove --force "$tree/base" 2> /dev/null || true; rm -rf "$tree"' EXIT
chmod 755 "$tree"
git -C "$root" worktree add --quiet --detach "$tree/base" "$commit"
if [ -z "$bin" ]; then
  build "$root"
  bin="$root/build/$preset"
fi
if [ -z "$base_bin" ]; then
  build "$tree/base"
  base_bin="$tree/base/build/$preset"
fi
/usr/bin/python3 "$root/tests/upgrade/upgrade.py" --base-tree "$tree/base" --base-bin "$base_bin" --bin "$bin" \
  "${words[@]+"${words[@]}"}"
