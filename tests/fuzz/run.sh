#!/usr/bin/env bash
# Builds the fuzzers and runs each over its corpus and beyond, two at a time.
#   run.sh [seconds] [name]...     600 seconds each unless said; all of them unless named
# A find ends the run with 1; its input is in build/fuzz/finds. Once what it found is mended, the input goes into
# tests/fuzz/corpus/NAME. build/fuzz/results has a report of each in the form of GoogleTest's.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
case $seconds in ''|*[!0-9]*) echo "usage: run.sh [seconds] [name]..." >&2; exit 2 ;; esac
shift || true

cmake --preset fuzz > /dev/null || exit 1
flock -o "${TMPDIR:-/tmp}/rondel-build.lock" cmake --build --preset fuzz --target fuzzers || exit 1

rm -rf build/fuzz/results
mkdir -p build/fuzz/finds build/fuzz/logs build/fuzz/results
if [ $# -gt 0 ]; then names=("$@"); else names=(); for file in tests/fuzz/*.cc; do names+=("$(basename "$file" .cc)"); done; fi

report() { echo "<testsuite><testcase classname=\"fuzz\" name=\"$1\">$2</testcase></testsuite>" > "build/fuzz/results/fuzz_$1.xml"; }

run() {
  local name=$1 seconds=$2
  mkdir -p "build/fuzz/work/$name"
  if "build/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/finds/$name-" "build/fuzz/work/$name" "tests/fuzz/corpus/$name" > "build/fuzz/logs/$name" 2>&1; then
    report "$name" ""
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/logs/$name") inputs, no find"
  else
    echo "$name: FIND, see build/fuzz/logs/$name"
    grep -E "ERROR|SUMMARY|Test unit written" "build/fuzz/logs/$name" | head -3
    report "$name" "<failure/>"
    return 1
  fi
}
export -f run report
printf '%s\n' "${names[@]}" | xargs -P 2 -I{} bash -c 'run "$1" "$2"' run {} "$seconds"
