#!/usr/bin/env bash
# The default test tier: installs what it needs, builds with ASan and UBSan, runs every ctest program and the end-to-end tests
# against those binaries, each fuzzer for 20 seconds, and ends with "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."

./deploy/local/install.sh --tests || exit 1
cmake --preset dev > /dev/null || exit 1
flock -o "${TMPDIR:-/tmp}/rondel-build.lock" cmake --build --preset dev || exit 1

results=$PWD/build/dev/results
rm -rf "$results"
mkdir -p "$results"
status=0
ctest --test-dir build/dev --output-on-failure -j "$(nproc)" || status=1
(cd tests/e2e && RONDEL_BUILD=$PWD/../../build/dev /usr/bin/python3 -m pytest -q -p no:cacheprovider --junitxml="$results/e2e.xml" .) || status=1
tests/fuzz/run.sh 20 || status=1
cp build/fuzz/results/*.xml "$results" || status=1
python3 tools/count_results.py "$results" || status=1
exit $status
