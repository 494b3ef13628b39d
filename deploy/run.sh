#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian 12 to a conversation: installs what is missing, builds build/release/bin/talon,
# and starts a session. Arguments after -- go to talon instead:  deploy/run.sh -- serve
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup.sh
deploy/build.sh release talon plugins examples >&2
[[ "${1:-}" == "--" ]] && shift
if [[ $# -gt 0 ]]; then exec build/release/bin/talon "$@"; fi
if [[ -t 0 ]]; then exec build/release/bin/talon chat; fi

# Without a terminal: a short session that shows a model calling real plugins.
build/release/bin/talon chat --session "tour-$$" <<'TOUR'
hello
write "The first file." to tour/hello.txt
list the files in tour
read tour/hello.txt
run `uname -s`
what is 6 * 7
/cost
TOUR
