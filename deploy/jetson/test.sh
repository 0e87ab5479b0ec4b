#!/usr/bin/env bash
# Installs, builds and tests the sidecar. Says so and succeeds where Node.js or npm are missing, or no packages can be fetched.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
least=20.11.0

skip() { printf 'skipped  the sidecar for Jetson: %s\n' "$1"; exit 0; }

command -v node >/dev/null || skip "there is no node"
command -v npm >/dev/null || skip "there is no npm"
version=$(node --version)
[ "$(printf '%s\n' "$least" "${version#v}" | sort -V | head -n 1)" = "$least" ] || skip "node is $version, but $least is needed"

# As long as the lock file is the same, so are the packages.
if ! cmp -s package-lock.json node_modules/.installed; then
  npm ci >/dev/null || skip "its packages could not be installed"
  cp package-lock.json node_modules/.installed
fi
npm run --silent build
npm test --silent
printf 'ok       the sidecar for Jetson: build and tests\n'
