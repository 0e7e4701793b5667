#!/usr/bin/env bash
# Installs, builds and starts a cluster on this machine; prints endpoint, keys and a first command. What stands in the way (a port,
# the folder, room, the user, too few nodes) is said before anything is installed or built.
#   up.sh [--data DIR] [--port N] [--nodes N] [--zones N] [--gateways N] [--env-file FILE] [--bin BUILD] [--no-install]
#         [--set key=value]... [--ready-within SECONDS]
# --bin names a finished build folder (build/release) instead of building.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

bin="" install=1 words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin=${2:?--bin wants a build folder}; shift 2 ;;
    --no-install) install=0; shift ;;
    --data|--env-file) words+=("$1" "$(realpath -m "${2:?$1 wants a path}")"); shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done

builds=1
if [ -n "$bin" ]; then
  builds=0
  [ -x "$bin/bin/rondel" ] || { echo "up.sh: $bin holds no build (bin/rondel is missing)" >&2; exit 1; }
fi
source "$root/deploy/local/check_set_up.sh"
check_set_up $install $builds "${words[@]+"${words[@]}"}"

if [ $install = 1 ]; then "$root/deploy/local/install.sh"; fi
if [ -z "$bin" ]; then
  bin="$root/build/release"
  (cd "$root" && cmake --preset release > /dev/null && cmake --build --preset release)
fi
exec "$(realpath "$bin")/bin/rondel" up --detach --migrations "$root/migrations" "${words[@]+"${words[@]}"}"
