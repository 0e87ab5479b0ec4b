#!/usr/bin/env bash
# The kernels alone, by JMH: bytes and multiply-adds a second, beside the bandwidth that the same run measures.
#
#   src/bench/run.sh [JMH OPTIONS]     e.g. -p format=Q4_0,Q8_0 -p tokens=1 -p threads=2 -p memory=0 ; -h lists them
set -euo pipefail
# shellcheck source=src/bench/build.sh
source "$(dirname "$(readlink -f "$0")")/build.sh"
exec "$JAVA_HOME/bin/java" @src/main/jvm/options -cp "$classpath" dev.nibble.kernel.KernelBench "$@"
