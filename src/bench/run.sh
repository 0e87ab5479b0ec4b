#!/usr/bin/env bash
# The kernels alone, by JMH: bytes and multiply-adds a second, beside the bandwidth that the same run measures.
#
#   src/bench/run.sh [JMH OPTIONS]     e.g. -p format=Q4_0,Q8_0 -p tokens=1 -p threads=2 -p memory=0 ; -h lists them
set -euo pipefail
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
die() { printf 'run.sh: %s\n' "$1" >&2; exit 2; }
for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
  if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then export JAVA_HOME=$home; break; fi
done
grep -q '^JAVA_VERSION="25[."]' "${JAVA_HOME:-/nonexistent}/release" 2>/dev/null || die "needs a JDK 25: set JAVA_HOME to it"
cd "$root"
mkdir -p target
mvn -B -Pbench process-classes org.apache.maven.plugins:maven-dependency-plugin:3.9.0:build-classpath -Dmdep.outputFile=target/bench.classpath \
  >target/bench-build.log 2>&1 || { grep '^\[ERROR\]' target/bench-build.log | head -n 20 >&2; die "building failed; all of it is in target/bench-build.log"; }
exec "$JAVA_HOME/bin/java" @src/main/jvm/options -cp "target/bench:target/classes:$(cat target/bench.classpath)" dev.nibble.kernel.KernelBench "$@"
