#!/usr/bin/env bash
# Chat templates made at random, rendered by Nibble and by jinja2 in the environment of Hugging Face's transformers: every difference is shown.
#
#   src/bench/jinja/run.sh [COUNT [SEED]]     20000 templates of seed 1, if not said otherwise; ends with 1 if any differs
#
# jinja2 comes from PyPI into target/jinja-venv.
set -euo pipefail
# shellcheck source=src/bench/build.sh
source "$(dirname "$(readlink -f "$0")")/../build.sh"
if [ ! -x target/jinja-venv/bin/python ]; then
  python3 -m venv target/jinja-venv && target/jinja-venv/bin/pip install -q jinja2==3.1.6 || die "needs Python 3 with venv, and PyPI"
fi
target/jinja-venv/bin/python src/bench/jinja/fuzz.py "${1:-20000}" "${2:-1}" >target/jinja-fuzz.jsonl
exec "$JAVA_HOME/bin/java" -cp "$classpath" dev.nibble.tokenizer.jinja.FuzzComparison target/jinja-fuzz.jsonl
