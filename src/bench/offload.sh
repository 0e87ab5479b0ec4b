#!/usr/bin/env bash
# What a gateway between client and accelerator costs, in milliseconds a token: both on this machine, the accelerator being another nibble (or, with --sidecar,
# the one of deploy/jetson on processor cores). Needs ./nibble to be built; runs the native executable where there is one.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
java_home=${JAVA_HOME:-$(ls -d /usr/lib/jvm/*25* | head -n 1)}
export JAVA_HOME=$java_home
mvn -B -q -Pbench process-classes >/dev/null
mvn -B -q dependency:build-classpath -Dmdep.outputFile=target/bench-classpath >/dev/null
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -r "$work"' EXIT
if [ "${1:-}" = --sidecar ]; then
  node deploy/jetson/dist/main.js --model src/main/resources/models/nibble-home.gguf --host 127.0.0.1 --port 19100 --device cpu --threads 1 >"$work/accelerator" 2>&1 &
else
  ./nibble serve --threads 1 --http-port 18081 --grpc-port 19100 >"$work/accelerator" 2>&1 &
fi
NIBBLE_OFFLOAD_TARGETS=localhost:19100 NIBBLE_OFFLOAD_PROBE_INTERVAL=200ms ./nibble serve --threads 1 --http-port 18080 --grpc-port 19000 >"$work/gateway" 2>&1 &
for _ in $(seq 300); do
  curl -s localhost:18080/q/health/ready 2>/dev/null | grep -q '19100": "ready' && break
  sleep 0.1
done
"$java_home/bin/java" -cp "target/bench:target/classes:$(cat target/bench-classpath)" dev.nibble.offload.OverheadBench 19000 19100
