#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the release and prints a row a figure: name, value, bar, conditions. Exit status 1 when a bar is
# missed.
#   deploy/bench.sh [--only NAME] [--quick] [--json FILE] [--readme]
#   --only    overhead, throughput, memory, start, idle, connections, plugin_rtt,
#             plugin_start, guard_check, kill; repeatable
#   --quick   shorter; latency and throughput are printed but do not decide
#   --readme  writes the table in README.md
#   TALON_BENCH_BUILD=DIR  measures the build there instead
set -euo pipefail
cd "$(dirname "$0")/.."
build="${TALON_BENCH_BUILD:-}"
if [[ -z "$build" ]]; then
  build=build/release
  deploy/build.sh release talon plugins mockllm test_plugin kill_shim bench_turns bench_plugin_rtt \
    bench_plugin_start bench_guard_check >&2
fi
ulimit -n "$(ulimit -Hn)"
exec python3 tests/bench/run.py --build "$build" "$@"
