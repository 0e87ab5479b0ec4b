#!/usr/bin/env bash
# Drives a server with the client libraries that people use, unmodified, as they come from PyPI.
#
#   src/test/clients/run.sh [--http-port N] [--grpc-port N] [--only NAME] [COMMAND…]
#
# COMMAND is what serves: ./nibble (the default), or target/nibble; it is started as `COMMAND serve --http-port N --grpc-port N`, and ended afterwards.
# Each drive_NAME.py is a client. The libraries are in requirements.txt; what does not go together with those in requirements-NAME.txt, for
# drive_NAME.py alone. They are installed once, in ${XDG_CACHE_HOME:-~/.cache}/nibble-clients, in a folder for each list of versions.
# Ends with 0 if nothing failed. What can't be installed is skipped, and said.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
root=$(cd "$here/../../.." && pwd)
http=18090 grpc=19090 only=

while [ $# -gt 0 ]; do
  case "$1" in
    --http-port) http=$2; shift 2 ;;
    --grpc-port) grpc=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- "$root/nibble"
"$@" --version >/dev/null # builds, where that is needed

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nibble-clients
work=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

# environment FILE: prints the folder of a virtual environment with what FILE lists, made if it is not there; fails where it can't be made.
environment() {
  local folder
  if ! command -v python3 >/dev/null; then echo "there is no python3" >"$work/venv.log"; return 1; fi
  folder=$cache/$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(sha256sum "$1" | cut -c 1-16)
  if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$cache"
    python3 -m venv "$folder" >"$work/venv.log" 2>&1 || return 1
    # A mirror that is not there is told at once rather than after minutes.
    # Bytecode is made of what is imported, when it is: that is a small part.
    "$folder/bin/pip" install -q --disable-pip-version-check --retries 1 --timeout 15 --prefer-binary --no-compile -r "$1" >>"$work/venv.log" 2>&1 || return 1
    touch "$folder/complete"
  fi
  printf '%s\n' "$folder"
}

declare -A environments=()
drives=() names=() skipped=0
for drive in "$here"/drive_*.py; do
  name=$(basename "$drive" .py)
  name=${name#drive_}
  [ -z "$only" ] || [ "$only" = "$name" ] || continue
  list=$here/requirements-$name.txt
  [ -e "$list" ] || list=$here/requirements.txt
  if [ -z "${environments[$list]+known}" ]; then environments[$list]=$(environment "$list") || environments[$list]=; fi
  if [ -z "${environments[$list]}" ]; then
    printf 'skipped %s: what %s lists can not be installed here: %s\n' "$name" "$(basename "$list")" "$(tail -n 1 "$work/venv.log")"
    skipped=$((skipped + 1))
    continue
  fi
  drives+=("$drive") names+=("$name")
done

passed=0 failed=0
if [ ${#drives[@]} -gt 0 ]; then
  # Streams get comments whenever nothing comes for a moment, as they do when they wait long, so that every client meets some.
  NIBBLE_REST_STREAM_COMMENT_INTERVAL=PT0.001S "$@" serve --http-port "$http" --grpc-port "$grpc" >"$work/serve.log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    curl -sf "127.0.0.1:$http/q/health/ready" >/dev/null 2>&1 && break
    kill -0 $server 2>/dev/null || { cat "$work/serve.log" >&2; echo "clients: the server ended" >&2; exit 1; }
    sleep 0.1
  done
  # Nothing is fetched while clients run: what they need is installed, and models' hubs are not asked.
  export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 LITELLM_LOCAL_MODEL_COST_MAP=True
  export HF_HOME="$work/huggingface" PYTHONPYCACHEPREFIX="$cache/bytecode" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
  # What serves, for clients that need a server with other settings.
  export NIBBLE_COMMAND="$*"
  export NIBBLE_REST=http://127.0.0.1:$http NIBBLE_GRPC=127.0.0.1:$grpc NIBBLE_SHARED=${NIBBLE_SHARED:-$root/../shared}
  for i in "${!drives[@]}"; do
    list=$here/requirements-${names[$i]}.txt
    [ -e "$list" ] || list=$here/requirements.txt
    # A client that hangs is ended after five minutes.
    status=0
    timeout 300 "${environments[$list]}/bin/python" "${drives[$i]}" >"$work/output" 2>"$work/errors" || status=$?
    sed "s/^skipped /skipped ${names[$i]}: /; t; s/^/${names[$i]}: /" "$work/output"
    ok=$(grep -c '^ok ' "$work/output" || true) bad=$(grep -c '^FAILED ' "$work/output" || true) left=$(grep -c '^skipped ' "$work/output" || true)
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] || [ $((ok + bad + left)) -eq 0 ]; then
      bad=$((bad + 1))
      printf '%s: FAILED it ended with %s\n' "${names[$i]}" "$status"
    fi
    [ "$bad" -eq 0 ] || sed "s/^/${names[$i]}! /" "$work/errors" | tail -n 40
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left))
  done
  kill -0 $server 2>/dev/null || { printf 'FAILED the server ended while clients used it\n'; tail -n 40 "$work/serve.log"; failed=$((failed + 1)); }
fi

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
