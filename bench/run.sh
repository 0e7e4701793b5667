#!/usr/bin/env bash
# Measures the product beside yardsticks of this machine and prints the ratios; README.md in this folder says what each means.
#   run.sh [--rounds N] [--seconds S] [--only put-small,get-small,large,list,features,base] [--bin BUILD] [--port N] [--out FOLDER]
# As root on Debian 12; installs what is missing, builds, uses a fresh cluster in /var/tmp and removes it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

bin="" words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin=$(realpath "${2:?--bin wants a build folder}"); shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done

"$root/deploy/local/install.sh"
command -v nginx > /dev/null || apt-get install -y -q --no-install-recommends nginx-light
if [ -z "$bin" ]; then
  bin="$root/build/release"
  (cd "$root" && cmake --preset release > /dev/null && cmake --build --preset release)
fi
yardsticks="$root/build/yardsticks"
cmake -S "$root/bench/yardsticks" -B "$yardsticks" -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
  -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19 > /dev/null
cmake --build "$yardsticks"
exec python3 "$root/bench/campaign.py" --root "$root" --bin "$bin" --yardsticks "$yardsticks" "${words[@]+"${words[@]}"}"
