#!/usr/bin/env bash
# Measures the product beside yardsticks of this machine and prints the ratios; README.md in this folder says what each means.
#   run.sh [--rounds N] [--seconds S] [--only put-small,get-small,large,list,features,base] [--bin BUILD] [--port N] [--out FOLDER]
# As root on Debian 12; installs what is missing, builds, uses a fresh cluster in /var/tmp and removes it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

source "$root/deploy/local/take_build.sh"
take_bin "$@"

"$root/deploy/local/install.sh"
command -v nginx > /dev/null || apt-get install -y -q --no-install-recommends nginx-light
build_release_unless_named
yardsticks="$root/build/yardsticks"
cmake -S "$root/bench/yardsticks" -B "$yardsticks" -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
  -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19 > /dev/null
cmake --build "$yardsticks"
exec python3 "$root/bench/campaign.py" --root "$root" --bin "$bin" --yardsticks "$yardsticks" "${words[@]+"${words[@]}"}"
