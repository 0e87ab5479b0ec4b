#!/usr/bin/env bash
# Decode speed for 1 to N threads and for growing contexts, drawn as docs/decode.svg.
#
#   src/bench/sweep.sh MODEL.gguf [--threads N] [--contexts "128 512 1024 2048 4096"] [--gen 32] [--rounds 3] [--out docs/decode.svg]
#
# Every point is a run of `./nibble bench`, so the native executable where it has been built and is fresh; the median of the rounds counts. A context of C has
# a prompt of C - gen tokens, so that decoding ends at C; contexts that the model does not have are left out. The runs stay in target/sweep.jsonl.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
die() { printf 'sweep.sh: %s\n' "$1" >&2; exit 2; }

[ $# -ge 1 ] || die "needs a model"
model=$1; shift
[ -f "$model" ] || die "no such file: $model"
model=$(readlink -f "$model")
threads=$(nproc) contexts="128 512 1024 2048 4096" gen=32 rounds=3 out=$root/docs/decode.svg
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value"
  case $1 in
    --threads) threads=$2 ;;
    --contexts) contexts=$2 ;;
    --gen) gen=$2 ;;
    --rounds) rounds=$2 ;;
    --out) out=$(readlink -m "$2") ;;
    *) die "unknown option $1" ;;
  esac
  shift 2
done
command -v node >/dev/null || die "needs Node.js 20 or newer"

results=$root/target/sweep.jsonl
mkdir -p "$root/target"
: >"$results"

# bench SWEEP CONTEXT THREADS: one more line; fails where the model's context is too short.
bench() {
  local line
  line=$("$root/nibble" bench --model "$model" --threads "$3" --prompt $(($2 - gen)) --gen "$gen" --json 2>"$root/target/sweep.err") || return 1
  printf '{"sweep":"%s","context":%s,%s\n' "$1" "$2" "${line#\{}" >>"$results"
  node -e 'const r = JSON.parse(process.argv[1]);
    console.error(`${r.threads} threads, context ${process.argv[2]}: ${r.decode_tokens_per_second.toFixed(1)} tokens/s, ${(100 * r.roofline_fraction).toFixed(0)} % of the roofline`)' "$line" "$2"
}

# Rounds are the outermost loop: what disturbs the machine for a minute then disturbs one value of many points, not all of one.
for _ in $(seq "$rounds"); do
  for count in $(seq "$threads"); do
    bench threads $((96 + gen)) "$count" || die "$(tail -n 1 "$root/target/sweep.err")"
  done
  for context in $contexts; do
    [ "$context" -gt "$gen" ] || die "a context of $context leaves no room for --gen $gen"
    bench context "$context" "$threads" || printf 'left out: context %s: %s\n' "$context" "$(tail -n 1 "$root/target/sweep.err")" >&2
  done
done
mkdir -p "$(dirname "$out")"
node "$here/plots/decode.mjs" "$results" >"$out"
printf 'wrote %s from %s runs in %s\n' "$out" "$(wc -l <"$results")" "$results" >&2
