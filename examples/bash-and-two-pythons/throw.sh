#!/usr/bin/env bash
# throw.sh THROWS SEED: throw a die, a line for each throw.
set -euo pipefail
throws=$1
RANDOM=$2

for ((i = 1; i <= throws; i++)); do
  echo $((RANDOM % 6 + 1))
done >"$TREADLE_OUTPUT_DICE"

echo "threw $throws times"
echo "{\"metric\": \"throws\", \"value\": $throws}" >>"$TREADLE_NOTES"
