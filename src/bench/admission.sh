#!/usr/bin/env bash
# What 40 requests of 4,000,000 letters, legal by their size and hopeless for the embedded model's context, do to others: to a small request, and to a stream.
#
#   src/bench/admission.sh [COMMAND…]
#
# COMMAND is the program, ./nibble if it is not given. Needs Python 3. The machine should have nothing else to do.
set -euo pipefail
# shellcheck source=src/bench/server.sh
source "$(dirname "$(readlink -f "$0")")/server.sh"
if [ $# = 0 ]; then set -- "$here/nibble"; fi
start "$@" serve
python3 "$here/src/bench/admission.py" --port "$port" --pid "$pid"
