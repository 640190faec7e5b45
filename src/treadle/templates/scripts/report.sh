#!/usr/bin/env bash
# The paths of what a step is given and of what it makes stand in its environment.
set -euo pipefail

{
  echo "$TREADLE_PARAM_TITLE"
  echo
  cat "$TREADLE_INPUT_LINE"
  echo
} >"$TREADLE_OUTPUT_REPORT"

cat "$TREADLE_OUTPUT_REPORT"
