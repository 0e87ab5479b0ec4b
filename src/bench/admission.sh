#!/usr/bin/env bash
# What 40 requests of 4,000,000 letters, legal by their size and hopeless for the embedded model's context, do to others: to a small request, and to a stream.
#
#   src/bench/admission.sh [COMMAND…]
#
# COMMAND is the program, ./nibble if it is not given. Needs Python 3. The machine should have nothing else to do.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
if [ $# = 0 ]; then set -- "$here/nibble"; fi
port=${PORT:-21080}
log=$(mktemp)
QUARKUS_HTTP_PORT=$port QUARKUS_GRPC_SERVER_PORT=0 "$@" serve >"$log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 300); do
  curl -sf -o /dev/null "http://localhost:$port/q/health/ready" && break
  kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
grep -m1 'model name' /proc/cpuinfo || true
python3 "$here/src/bench/admission.py" --port "$port" --pid "$pid"
