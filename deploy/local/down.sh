#!/usr/bin/env bash
# Stops the cluster of a data folder: down.sh [--data DIR] [--wipe] [--bin BUILD]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
data=/var/lib/rondel bin="" words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --data) data=$(realpath -m "${2:?--data wants a path}"); shift 2 ;;
    --bin) bin=${2:?--bin wants a build folder}; shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done
if [ -n "$bin" ]; then program="$bin/bin/rondel"; else program="$root/build/release/bin/rondel"; fi
[ -x "$data/bin/rondel" ] && [ -z "$bin" ] && program="$data/bin/rondel"
exec "$program" down --data "$data" "${words[@]+"${words[@]}"}"
