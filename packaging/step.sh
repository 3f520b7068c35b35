#!/usr/bin/env bash
# Run one check and say in one line what it was and how long it took.
# Its own output appears only when it fails.
#
#   packaging/step.sh LABEL COMMAND [ARGUMENT...]
set -u

label=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT

printf '%-22s' "$label"
start=${EPOCHREALTIME/[^0-9]/}
"$@" >"$output" 2>&1
status=$?
elapsed_ms=$(((${EPOCHREALTIME/[^0-9]/} - start) / 1000))

if [ "$status" -eq 0 ]; then
  printf 'ok      %d.%d s\n' $((elapsed_ms / 1000)) $((elapsed_ms % 1000 / 100))
else
  printf 'FAILED  %d.%d s\n' $((elapsed_ms / 1000)) $((elapsed_ms % 1000 / 100))
  cat "$output"
fi
exit "$status"
