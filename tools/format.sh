#!/usr/bin/env bash
# Formats every tracked C++ file by .clang-format, or says which one is not.
#   format.sh             formats in place
#   format.sh --check     changes nothing; one line for each file that would change, then exit code 1
set -euo pipefail
cd "$(dirname "$0")/.."
program=clang-format-19
command -v "$program" > /dev/null || { echo "$program is not there: deploy/local/install.sh --tests" >&2; exit 2; }

files() { git ls-files -z '*.h' '*.hpp' '*.cc'; }

if [ "${1:-}" = --check ]; then
  failed=0
  while IFS= read -r -d '' file; do
    "$program" "$file" | cmp -s - "$file" || { echo "$file: not formatted (tools/format.sh)"; failed=1; }
  done < <(files)
  exit $failed
fi

columns=$(sed -n 's/^ColumnLimit: *//p' .clang-format)
# Twice: what one round wraps may be what the next one prepares.
for _ in 1 2; do
  files | xargs -0 python3 tools/long_lines.py "$columns"
  files | xargs -0 -n 60 -P "$(nproc)" "$program" -i
done
