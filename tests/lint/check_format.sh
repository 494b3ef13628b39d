#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-format on every C++ file. deploy/dev format mends what this finds.
set -euo pipefail
cd "$1"
find src plugins tests -name node_modules -prune -o \( -name '*.cc' -o -name '*.h' \) -print0 |
  xargs -0 -n 40 -P 2 clang-format-19 --dry-run --Werror
