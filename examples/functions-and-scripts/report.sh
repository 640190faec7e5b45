#!/usr/bin/env bash
# What came out, told by a script that knows nothing of Python: inputs are files.
set -euo pipefail

size=$(wc -c <"$TREADLE_INPUT_MODEL")
echo "step $TREADLE_STEP of $TREADLE_RUN_ID: the model takes $((size / 1000)) kB"
