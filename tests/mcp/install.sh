#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# node_modules as package-lock.json says; nothing when it is so already.
set -eu
cd "$(dirname "$0")"
if [ node_modules/.package-lock.json -nt package-lock.json ]; then exit 0; fi
exec npm ci --no-audit --no-fund
