#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test, fast ones first.
#   deploy/test.sh            all: lint, unit, contract, integration, e2e, kill, fuzz replay, asan, tsan, bench
#   deploy/test.sh --quick    lint, unit, contract
#   TALON_LONG=1              full-length soaks and fuzzing
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup.sh --test

run_ctest() {  # preset, then arguments
  local preset="$1"; shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@"
}
step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "build dev"
deploy/build.sh dev
step "lint, unit, contract"
run_ctest dev -L '^lint$' -j2
run_ctest dev -LE '^(lint|e2e|kill|soak|integration)$' -j2
[[ "${1:-}" == "--quick" ]] && exit 0

step "build release"
deploy/build.sh release
if [[ -f tests/e2e/package-lock.json ]]; then (cd tests/e2e && npm ci --silent --no-audit --no-fund); fi
step "integration, e2e, kill"
run_ctest release -L '^(integration|e2e|kill)$'

step "address and undefined-behaviour sanitizers"
deploy/build.sh asan unit_tests
run_ctest asan -LE '^(lint|e2e|kill|soak|integration|tool)$' -j2
step "thread sanitizer"
deploy/build.sh tsan concurrent_tests
run_ctest tsan -L '^concurrent$'

step "benchmarks"
deploy/bench.sh --quick
printf '\nall tests passed in %s s\n' "$SECONDS"
