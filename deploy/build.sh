#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deploy/build.sh PRESET [TARGET…]: configures when needed and builds.
set -euo pipefail
cd "$(dirname "$0")/.."
preset="${1:-dev}"
shift || true
export CCACHE_SLOPPINESS=pch_defines,time_macros
mkdir -p build
if ! cmake --preset "$preset" >"build/configure-$preset.log" 2>&1; then
  cat "build/configure-$preset.log" >&2
  exit 1
fi
exec cmake --build --preset "$preset" ${1:+--target "$@"}
