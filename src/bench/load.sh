#!/usr/bin/env bash
# Load time and peak memory of a model, from GGUF and from its pack, in turn; medians.
#
#   src/bench/load.sh MODEL.gguf [ROUNDS]
#
# Runs ./nibble, that is the native executable where there is one, else the JVM. The pack is made in the model's folder, and removed.
set -euo pipefail
model=${1:?MODEL.gguf}
rounds=${2:-5}
here=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
pack=$model.load-test.nib
trap 'rm -f "$pack"' EXIT

"$here/nibble" pack --force "$model" "$pack"

number() { sed -E "s/.*\"$1\":([0-9.E+-]+).*/\1/" <<<"$2"; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

declare -A seconds peaks
for _ in $(seq "$rounds"); do
  for file in "$model" "$pack"; do
    line=$("$here/nibble" bench --model "$file" --prompt 16 --gen 4 --json 2>/dev/null)
    seconds[$file]+="$(number load_seconds "$line") "
    peaks[$file]+="$(number peak_rss_bytes "$line") "
  done
done
printf '%-6s %14s %18s %18s\n' "" "load seconds" "peak memory MB" "above the file MB"
for file in "$model" "$pack"; do
  peak=$(tr ' ' '\n' <<<"${peaks[$file]}" | grep . | median)
  printf '%-6s %14.3f %18.1f %18.1f\n' "$([ "$file" = "$pack" ] && echo pack || echo GGUF)" \
    "$(tr ' ' '\n' <<<"${seconds[$file]}" | grep . | median)" "$(awk "BEGIN { print $peak / 1e6 }")" \
    "$(awk "BEGIN { print ($peak - $(stat -c %s "$file")) / 1e6 }")"
done
