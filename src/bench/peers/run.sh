#!/usr/bin/env bash
# Nibble beside llama.cpp on one GGUF file, in turn, so that a noisy machine is noisy for both; prints medians and ratios.
#
#   src/bench/peers/run.sh MODEL.gguf [--rounds 5] [--threads 2] [--prompt 256] [--gen 48] [--jvm] [--avx2] [--pack FILE.nib]
#
# --jvm measures Nibble under the JVM beside the native executable. --avx2 holds llama.cpp to its AVX2 library, as on processors without AVX-512.
# --pack measures Nibble on a pack of the same model too (nibble pack), for its time to load.
# Each side runs `target/nibble bench` or its twin for llama.cpp, in a process of its own; the median of the rounds counts.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../../..")
die() { printf 'run.sh: %s\n' "$1" >&2; exit 2; }

[ $# -ge 1 ] || die "needs a GGUF file"
model=$1; shift
[ -f "$model" ] || die "no such file: $model"
model=$(readlink -f "$model")
rounds=5 threads=2 prompt=256 gen=48 jvm='' avx2='' pack=''
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --prompt) prompt=$2; shift 2 ;;
    --gen) gen=$2; shift 2 ;;
    --jvm) jvm=yes; shift ;;
    --avx2) avx2=yes; shift ;;
    --pack) [ -f "${2:-}" ] || die "--pack needs a file; no such file: ${2:-}"; pack=$(readlink -f "$2"); shift 2 ;;
    *) die "unknown option $1" ;;
  esac
done
command -v node >/dev/null || die "needs Node.js 20 or newer"
[ -x "$root/target/nibble" ] || die "needs target/nibble: ./nibble native"

# Installed outside the sources, so that a build never sees it.
peer=$root/target/peers
mkdir -p "$peer"
cp "$here/package.json" "$here/llama.mjs" "$peer/"
case $(uname -m) in
  x86_64) platform=linux-x64 ;;
  aarch64) platform=linux-arm64 ;;
  *) die "llama.cpp's prebuilt library is not there for $(uname -m)" ;;
esac
if [ ! -d "$peer/node_modules/@node-llama-cpp/$platform" ]; then
  # The CPU library alone: the package's optional parts are gigabytes of GPU libraries.
  version=$(sed -n 's/.*"node-llama-cpp": "\(.*\)".*/\1/p' "$peer/package.json")
  (cd "$peer" && npm install --ignore-scripts --omit=optional --no-save --no-audit --no-fund "node-llama-cpp@$version" "@node-llama-cpp/$platform@$version" >/dev/null)
fi
libraries=$(echo "$peer"/node_modules/"@node-llama-cpp/$platform"/bins/*)
if [ -n "$avx2" ]; then
  # The library picks the best of its variants at start; only those up to AVX2 are left.
  mkdir -p "$peer/set-aside"
  for variant in "$libraries"/libggml-cpu-*; do
    case ${variant##*libggml-cpu-} in
      x64* | sse42* | sandybridge* | ivybridge* | piledriver* | haswell*) ;;
      *) mv "$variant" "$peer/set-aside/" ;;
    esac
  done
  trap 'mv "$peer"/set-aside/* "$libraries"/ 2>/dev/null || true' EXIT
fi

if [ -n "$jvm" ]; then
  for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
    if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then java=$home/bin/java; break; fi
  done
  [ -n "${java:-}" ] || die "needs a JDK 25 for --jvm"
fi
common=(--threads "$threads" --prompt "$prompt" --gen "$gen")
results=$(mktemp)
for _ in $(seq "$rounds"); do
  { printf '{"side":"llama.cpp","r":'; (cd "$peer" && node llama.mjs "$model" "${common[@]}"); printf '}\n'; } >>"$results"
  { printf '{"side":"native","r":'; "$root/target/nibble" bench --model "$model" "${common[@]}" --json; printf '}\n'; } >>"$results"
  if [ -n "$pack" ]; then
    { printf '{"side":"pack","r":'; "$root/target/nibble" bench --model "$pack" "${common[@]}" --json; printf '}\n'; } >>"$results"
  fi
  if [ -n "$jvm" ]; then
    { printf '{"side":"JVM","r":'; "$java" "@$root/src/main/jvm/options" -jar "$root/target/quarkus-app/quarkus-run.jar" bench --model "$model" "${common[@]}" --json 2>/dev/null; printf '}\n'; } >>"$results"
  fi
done
node - "$results" "$rounds" "$threads" "$model" <<'JS'
const [, , file, rounds, threads, model] = process.argv;
const text = require("fs").readFileSync(file, "utf8").replace(/\n}/g, "}");
const lines = text.trim().split("\n").map((line) => JSON.parse(line));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
// NaN where a side does not have the field.
const of = (side, field) => median(lines.filter((l) => l.side === side).map((l) => l.r[field] ?? NaN));
const sides = [...new Set(lines.map((l) => l.side))];
const rows = [["prefill, tokens/s", "prefill_tokens_per_second", 1], ["decode, tokens/s", "decode_tokens_per_second", 1],
  ["load, s", "load_seconds", 1], ["resident memory, MB", "rss_bytes", 1e6], ["decode, part of the roofline", "roofline_fraction", 1]];
const shown = (value, text) => (Number.isNaN(value) ? "–" : text);
console.log(`${model.split("/").pop()}, ${threads} threads, medians of ${rounds} alternating rounds, ${new Date().toISOString().slice(0, 10)}\n`);
console.log(`| | ${sides.map((s) => (s === "llama.cpp" ? s : `Nibble, ${s}`)).join(" | ")} | ${sides.slice(1).map((s) => `${s} ÷ llama.cpp`).join(" | ")} |`);
console.log(`| --- |${" ---: |".repeat(2 * sides.length - 1)}`);
for (const [name, field, unit] of rows) {
  const values = sides.map((s) => of(s, field) / unit);
  console.log(`| ${name} | ${values.map((v) => shown(v, v < 1000 ? v.toPrecision(3) : v.toFixed(0))).join(" | ")} | ${values.slice(1).map((v) => shown(v / values[0], (v / values[0]).toFixed(2))).join(" | ")} |`);
}
JS
rm -f "$results"
