#!/usr/bin/env bash
# Mutated model files by the thousand: GGUF in every format and family, in one file and in several, packs, Hugging Face folders. Each is to be refused in one
# line that names it, or to work. Ends with 1 if one is a fault, which is told and kept.
#
#   src/bench/hostile.sh [COUNT [FIRST]]                 20000 from number 0 on, if not said otherwise, in one JVM with a heap of 256 MB
#   src/bench/hostile.sh COUNT FIRST target/nibble       each by a process of its own, which runs or quantises it
#
# A number is a mutation: the same one makes the same files. The ordinary tests try the first of them.
set -euo pipefail
# shellcheck source=src/bench/build.sh
source "$(dirname "$(readlink -f "$0")")/build.sh"
mvn -B -q test-compile >>target/bench-build.log 2>&1 || die "building failed; all of it is in target/bench-build.log"
count=${1:-20000} first=${2:-0}
shift $(($# < 2 ? $# : 2))
exec "$JAVA_HOME/bin/java" @src/main/jvm/options -Xmx256m -cp "target/test-classes:$classpath" dev.nibble.hostile.MutatedModels "$count" "$first" "$@"
