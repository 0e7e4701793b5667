#!/usr/bin/env bash
# The default test tier: installs what it needs, builds with ASan and UBSan, runs every ctest program, and ends with
# "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."

./deploy/local/install.sh || exit 1
cmake --preset dev > /dev/null || exit 1
flock -o "${TMPDIR:-/tmp}/rondel-build.lock" cmake --build --preset dev || exit 1

rm -rf build/dev/results
ctest --test-dir build/dev --output-on-failure
status=$?
python3 tools/count_results.py build/dev/results || status=1
exit $status
