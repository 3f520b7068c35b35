#!/usr/bin/env bash
# Write packaging/constraints.txt (what the product needs) and packaging/constraints-test.txt (what
# its tests need on top) from a fresh environment that knows only setup.cfg.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The oldest Python we support: some packages are needed there only.
python3.11 -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip --disable-pip-version-check)
frozen() {
  "${pip[@]}" freeze --all --exclude pip --exclude chart-appliance | LC_ALL=C sort --ignore-case
}

"${pip[@]}" install --quiet --quiet .
frozen >"$folder/product"
"${pip[@]}" install --quiet --quiet '.[test]'
frozen >"$folder/all"

{
  echo '# Everything the product needs, pinned. Written by "make lock".'
  cat "$folder/product"
} >packaging/constraints.txt
{
  echo '# Everything the tests need beside constraints.txt, pinned. Written by "make lock".'
  grep --invert-match --line-regexp --fixed-strings --file="$folder/product" "$folder/all"
} >packaging/constraints-test.txt
