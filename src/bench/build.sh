# Read by the measurements of this folder: finds a JDK 25 and compiles them. JAVA_HOME and classpath are set, and the repository's root is where they go on.
die() { printf '%s: %s\n' "${0##*/}" "$1" >&2; exit 2; }
for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
  if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then export JAVA_HOME=$home; break; fi
done
grep -q '^JAVA_VERSION="25[."]' "${JAVA_HOME:-/nonexistent}/release" 2>/dev/null || die "needs a JDK 25: set JAVA_HOME to it"
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
mkdir -p target
mvn -B -Pbench process-classes org.apache.maven.plugins:maven-dependency-plugin:3.9.0:build-classpath -Dmdep.outputFile=target/bench.classpath \
  >target/bench-build.log 2>&1 || { grep '^\[ERROR\]' target/bench-build.log | head -n 20 >&2; die "building failed; all of it is in target/bench-build.log"; }
classpath=target/bench:target/classes:$(cat target/bench.classpath)
