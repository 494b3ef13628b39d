#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test, fast ones first.
#   deploy/test.sh            everything
#   deploy/test.sh --quick    lint, unit and contract tests of the dev build
#   TALON_LONG=1              kill tests, fuzzers and benchmarks at full length
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup.sh --test

run_ctest() {  # preset, then arguments
  local preset="$1"
  shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@"
}
# Runs a step whose failure is told at the end; with TALON_LONG it decides the exit status as well.
# docs/dev/plan.md says when these decide again.
open_steps=()
advisory() {
  local name="$1"
  shift
  "$@" && return
  open_steps+=("$name")
  printf '\nNOT GREEN: %s\n' "$name"
}
step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "build dev"
deploy/build.sh dev
step "lint, unit, contract, replayed fuzz corpora"
run_ctest dev -LE '^(e2e|kill|hostile|authors|mcp|interop)$' -j2
[[ "${1:-}" == "--quick" ]] && exit 0

step "peers nobody here wrote: MCP servers, go-plugin, grpc-go, grpcio"
run_ctest dev -L '^(mcp|interop)$'

step "the hostile plugin"
run_ctest dev -L '^hostile$'

step "build release"
deploy/build.sh release
step "end to end, and killed at every write"
run_ctest release -L '^(e2e|kill|authors)$'

step "benchmarks"
if [[ -n "${TALON_LONG:-}" ]]; then deploy/bench.sh; else deploy/bench.sh --quick; fi

# What is not green yet must not take the time of what decides: it is left out when the run is late.
late() {
  [[ -z "${TALON_LONG:-}" && $SECONDS -gt $1 ]] || return 1
  open_steps+=("$2 (left out: $SECONDS s have passed)")
}
sanitizers() {
  deploy/build.sh asan unit_tests fuzzers store_contract_test || return
  if [[ -n "${TALON_LONG:-}" ]]; then cmake --preset asan -DTALON_FUZZ_SECONDS=600 >/dev/null; fi
  run_ctest asan -L '^(unit|contract|fuzz)$' -j2
}
thread_sanitizer() { deploy/build.sh tsan concurrent_tests && run_ctest tsan -L '^concurrent$' -j2; }

step "address and undefined-behaviour sanitizers, fuzzers"
late 2700 "sanitizers" || advisory "sanitizers" sanitizers
step "thread sanitizer"
late 3600 "thread sanitizer" || advisory "thread sanitizer" thread_sanitizer
step "clang-tidy"
late 3900 "clang-tidy" || advisory "clang-tidy" timeout 900 deploy/dev tidy

if [[ ${#open_steps[@]} -gt 0 ]]; then
  printf '\nnot green: %s (after %s s)\n' "${open_steps[*]}" "$SECONDS"
  [[ -z "${TALON_LONG:-}" ]] || exit 1
else
  printf '\nall tests passed in %s s\n' "$SECONDS"
fi
