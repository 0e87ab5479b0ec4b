#!/usr/bin/env bash
# How long the engine goes on with a long prompt whose client has left: from the cancel, in mid-prompt, until a request that waits is answered. Twice: on a
# machine that has nothing else to do, and beside a busy loop for each of its processors.
#
#   src/bench/cancel.sh MODEL.gguf [COMMAND…]
#
# COMMAND is the program, ./nibble if it is not given. Needs Python 3.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
if [ $# = 0 ]; then echo "usage: src/bench/cancel.sh MODEL.gguf [COMMAND…]" >&2; exit 2; fi
model=$1
shift
if [ $# = 0 ]; then set -- "$here/nibble"; fi
port=${PORT:-21080}
log=$(mktemp)
NIBBLE_READY_CANARY_INTERVAL=0 QUARKUS_HTTP_PORT=$port QUARKUS_GRPC_SERVER_PORT=0 "$@" serve --model "$model" >"$log" 2>&1 &
pid=$!
loops=()
end() { kill "$pid" "${loops[@]}" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -f "$log"; }
trap end EXIT
for _ in $(seq 600); do
  curl -sf -o /dev/null "http://localhost:$port/q/health/ready" && break
  kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
grep -m1 'model name' /proc/cpuinfo || true
python3 "$here/src/bench/cancel.py" --port "$port" --what "Nothing else to do"
for _ in $(seq "$(nproc)"); do
  (while :; do :; done) &
  loops+=($!)
done
python3 "$here/src/bench/cancel.py" --port "$port" --what "Beside $(nproc) busy loops"
