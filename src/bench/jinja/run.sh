#!/usr/bin/env bash
# Chat templates made at random, rendered by Nibble and by jinja2 in the environment of Hugging Face's transformers: every difference is shown.
#
#   src/bench/jinja/run.sh [COUNT [SEED]]     20000 templates of seed 1, if not said otherwise; ends with 1 if any differs
#
# jinja2 comes from PyPI into target/jinja-venv.
set -euo pipefail
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../../..")
die() { printf 'run.sh: %s\n' "$1" >&2; exit 2; }
for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
  if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then export JAVA_HOME=$home; break; fi
done
grep -q '^JAVA_VERSION="25[."]' "${JAVA_HOME:-/nonexistent}/release" 2>/dev/null || die "needs a JDK 25: set JAVA_HOME to it"
cd "$root"
mkdir -p target
if [ ! -x target/jinja-venv/bin/python ]; then
  python3 -m venv target/jinja-venv && target/jinja-venv/bin/pip install -q jinja2==3.1.6 || die "needs Python 3 with venv, and PyPI"
fi
target/jinja-venv/bin/python src/bench/jinja/fuzz.py "${1:-20000}" "${2:-1}" >target/jinja-fuzz.jsonl
mvn -B -Pbench process-classes org.apache.maven.plugins:maven-dependency-plugin:3.9.0:build-classpath -Dmdep.outputFile=target/bench.classpath \
  >target/bench-build.log 2>&1 || { grep '^\[ERROR\]' target/bench-build.log | head -n 20 >&2; die "building failed; all of it is in target/bench-build.log"; }
exec "$JAVA_HOME/bin/java" -cp "target/bench:target/classes:$(cat target/bench.classpath)" dev.nibble.tokenizer.jinja.FuzzComparison target/jinja-fuzz.jsonl
