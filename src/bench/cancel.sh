#!/usr/bin/env bash
# How long the engine goes on with a long prompt whose client has left: from the cancel, in mid-prompt, until a request that waits is answered. Twice: on a
# machine that has nothing else to do, and beside a busy loop for each of its processors.
#
#   src/bench/cancel.sh MODEL.gguf [COMMAND…]
#
# COMMAND is the program, ./nibble if it is not given. Needs Python 3.
set -euo pipefail
# shellcheck source=src/bench/server.sh
source "$(dirname "$(readlink -f "$0")")/server.sh"
if [ $# = 0 ]; then echo "usage: src/bench/cancel.sh MODEL.gguf [COMMAND…]" >&2; exit 2; fi
model=$1
shift
if [ $# = 0 ]; then set -- "$here/nibble"; fi
NIBBLE_READY_CANARY_INTERVAL=0 start "$@" serve --model "$model"
python3 "$here/src/bench/cancel.py" --port "$port" --what "Nothing else to do"
for _ in $(seq "$(nproc)"); do
  (while :; do :; done) &
  others+=($!)
done
python3 "$here/src/bench/cancel.py" --port "$port" --what "Beside $(nproc) busy loops"
