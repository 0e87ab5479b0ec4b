#!/usr/bin/env bash
# Variants of the INT4 kernel, written by a generator and timed from the cache on one thread.
#
#   src/bench/variants.sh jvm|native VARIANT…     e.g. src/bench/variants.sh native W256_1x1F1 W256_1x2F1 W256_1x2F2
#
# Names are explained in src/bench/variants/dev/nibble/kernel/VariantGenerator.java. native needs GRAALVM_HOME; MARCH=x86-64-v4 there builds for AVX-512.
set -euo pipefail
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
die() { printf 'variants.sh: %s\n' "$1" >&2; exit 2; }
mode=${1:-}
[ "$mode" = jvm ] || [ "$mode" = native ] || die "needs jvm or native, and names of variants"
shift
[ $# -gt 0 ] || die "needs names of variants"
for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
  if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then java=$home/bin; break; fi
done
[ -n "${java:-}" ] || die "needs a JDK 25: set JAVA_HOME to it"
[ "$mode" = jvm ] || [ -x "${GRAALVM_HOME:-}/bin/native-image" ] || die "needs GRAALVM_HOME"

work=$root/target/variants
rm -rf "$work"
mkdir -p "$work/classes"
sources=$root/src/bench/variants/dev/nibble/kernel
vectors=(--add-modules jdk.incubator.vector)
"$java/javac" -d "$work/classes" "$sources/VariantGenerator.java"
"$java/java" -cp "$work/classes" dev.nibble.kernel.VariantGenerator "$work/generated" "$@"
"$java/javac" "${vectors[@]}" -nowarn -d "$work/classes" "$root"/src/main/java/dev/nibble/{tensor,kernel,kernel/tile}/*.java "$work/generated/dev/nibble/kernel/Variants.java" "$sources/VariantBench.java" \
  2>"$work/javac.log" || { cat "$work/javac.log" >&2; die "compiling failed"; }
case $mode in
  jvm) exec "$java/java" "${vectors[@]}" -cp "$work/classes" dev.nibble.kernel.VariantBench ;;
  native)
    "$GRAALVM_HOME/bin/native-image" "${vectors[@]}" --no-fallback -O3 "-march=${MARCH:-x86-64-v3}" ${NATIVE_ARGS:-} -H:+UnlockExperimentalVMOptions -H:+VectorAPISupport \
      -cp "$work/classes" dev.nibble.kernel.VariantBench -o "$work/bench" >"$work/native.log" 2>&1 || { tail -n 20 "$work/native.log" >&2; die "the native build failed"; }
    exec "$work/bench"
    ;;
esac
