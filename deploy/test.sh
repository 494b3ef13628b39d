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

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
runs=0
run_ctest() {  # preset, then arguments
  local preset="$1"
  shift
  runs=$((runs + 1))
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error \
    --output-junit "$results/$runs.xml" --test-output-size-passed 10000000 "$@"
}
heading() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
failed=()
step() {  # name, command: one that fails does not keep the others from showing what they find
  heading "$1"
  "${@:2}" || failed+=("$1")
}
tsan() { deploy/build.sh tsan concurrent_tests && run_ctest tsan -L '^concurrent$' -j2; }
tidy() { TALON_TIDY_BUILD=asan deploy/dev tidy; }
bench() { if [[ -n "${TALON_LONG:-}" ]]; then deploy/bench.sh; else deploy/bench.sh --quick; fi; }

if [[ "${1:-}" == "--quick" ]]; then
  heading "build dev"
  deploy/build.sh dev unit_tests fuzzers store_contract_test talon plugins
  heading "lint, unit, contract, replayed fuzz corpora"
  run_ctest dev -L '^(lint|unit|contract|fuzz|integration)$' -j2
  deploy/skipped.py "$results"/*.xml
  exit 0
fi

finish() {
  printf '\n'
  deploy/skipped.py "$results"/*.xml
  if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'FAILED in %s s:\n' "$SECONDS"
    printf '  %s\n' "${failed[@]}"
    exit 1
  fi
  printf 'all tests passed in %s s\n' "$SECONDS"
  exit 0
}
build() {  # preset, targets: without them nothing else can be tried
  step "build $1" deploy/build.sh "$@"
  [[ ${#failed[@]} -eq 0 || "${failed[-1]}" != "build $1" ]] || finish
}

build asan unit_tests fuzzers store_contract_test talon plugins
if [[ -n "${TALON_LONG:-}" ]]; then cmake --preset asan -DTALON_FUZZ_SECONDS=600 >/dev/null; fi
step "lint, unit, contract, integration, fuzzers" \
  run_ctest asan -L '^(lint|unit|contract|integration|fuzz)$' -j2

build release all plugin_sandbox_test
step "end to end, in the sandbox, against peers nobody here wrote, with a hijacked model" \
  run_ctest release -L '^(sandbox|e2e|authors|mcp|interop|redteam)$' -j2
step "killed at every write" run_ctest release -L '^kill$'
step "the hostile plugin" run_ctest release -L '^hostile$'
step "thread sanitizer: what has threads" tsan
step "clang-tidy" tidy
step "benchmarks" bench
finish
