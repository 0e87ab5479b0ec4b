# Read by measurements of a server. `start COMMAND… serve …` starts one on $port, REST alone, and goes on when it is ready; it ends with the script, as do the
# processes in ${others[@]}. here is the repository's root, and pid the server.
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
port=${PORT:-21080}
log=$(mktemp)
pid=
others=()
end() {
  if [ -n "$pid" ]; then kill "$pid" "${others[@]}" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
  rm -f "$log"
}
trap end EXIT
start() {
  QUARKUS_HTTP_PORT=$port QUARKUS_GRPC_SERVER_PORT=0 "$@" >"$log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    curl -sf -o /dev/null "http://localhost:$port/q/health/ready" && break
    kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
  done
  grep -m1 'model name' /proc/cpuinfo || true
}
