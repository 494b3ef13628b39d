#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every test, fast ones first. What looks inside runs under AddressSanitizer and UBSan, what drives the
# programs from outside on the release build, what has threads under ThreadSanitizer as well.
#   deploy/test.sh            everything
#   deploy/test.sh --quick    unit, contract and lint on the dev build: what a developer runs before a commit
#   TALON_LONG=1              fuzzers and benchmarks at full length
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup.sh --test

run_ctest() {  # preset, then arguments
  local preset="$1"
  shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@"
}
step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

if [[ "${1:-}" == "--quick" ]]; then
  step "build dev"
  deploy/build.sh dev unit_tests fuzzers store_contract_test talon plugins
  step "lint, unit, contract, replayed fuzz corpora"
  run_ctest dev -L '^(lint|unit|contract|fuzz|integration)$' -j2
  exit 0
fi

step "build with the address and undefined-behaviour sanitizers"
deploy/build.sh asan unit_tests fuzzers store_contract_test talon plugins
if [[ -n "${TALON_LONG:-}" ]]; then cmake --preset asan -DTALON_FUZZ_SECONDS=600 >/dev/null; fi
step "lint, unit, contract, integration, fuzzers"
run_ctest asan -L '^(lint|unit|contract|integration|fuzz)$' -j2

step "build release"
deploy/build.sh release all plugin_sandbox_test
step "plugins in their sandbox"
run_ctest release -L '^sandbox$'
step "end to end, and killed at every write"
run_ctest release -L '^(e2e|kill|authors)$'
step "peers nobody here wrote: MCP servers, go-plugin, grpc-go, grpcio"
run_ctest release -L '^(mcp|interop)$'
step "the hostile plugin"
run_ctest release -L '^hostile$'
step "hijacked turns"
run_ctest release -L '^redteam$'
step "benchmarks"
if [[ -n "${TALON_LONG:-}" ]]; then deploy/bench.sh; else deploy/bench.sh --quick; fi

# These two are told and do not decide yet (docs/dev/plan.md); with TALON_LONG=1 they do. What does not decide
# must not take the time of what does: it is left out when the run is late.
open_steps=()
advisory() {  # name, seconds after which it is late, then a command
  if [[ -z "${TALON_LONG:-}" && $SECONDS -gt $2 ]]; then
    open_steps+=("$1 (left out after $SECONDS s)")
    return
  fi
  "${@:3}" && return
  open_steps+=("$1")
  printf '\nNOT GREEN: %s\n' "$1"
}
thread_sanitizer() { deploy/build.sh tsan concurrent_tests && run_ctest tsan -L '^concurrent$' -j2; }
step "thread sanitizer: what has threads"
advisory "thread sanitizer" 3300 timeout 900 bash -c "$(declare -f thread_sanitizer run_ctest); thread_sanitizer"
step "clang-tidy"
TALON_TIDY_BUILD=asan advisory "clang-tidy" 4200 timeout 600 deploy/dev tidy

if [[ ${#open_steps[@]} -gt 0 ]]; then
  printf '\nall that decides passed in %s s; not green: %s\n' "$SECONDS" "${open_steps[*]}"
  [[ -z "${TALON_LONG:-}" ]] || exit 1
else
  printf '\nall tests passed in %s s\n' "$SECONDS"
fi
