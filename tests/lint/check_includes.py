#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A room includes only rooms below it. The order is TALON_ROOMS in src/CMakeLists.txt."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = (root / "src/CMakeLists.txt").read_text()
rooms = re.search(r"set\(TALON_ROOMS\s+([^)]*)\)", text).group(1).split()
rank = {room: i for i, room in enumerate(rooms)}
problems = []
checked = 0
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cc"):
        continue
    parts = path.relative_to(root / "src").parts
    if len(parts) < 2:
        continue
    room = parts[0]
    if room not in rank:
        problems.append(f"{path}: folder '{room}' is not in TALON_ROOMS")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#include "([a-z_0-9]+)/', line)
        if not found or found.group(1) not in rank:
            continue
        checked += 1
        if rank[found.group(1)] > rank[room]:
            problems.append(f"{path}:{number}: {room}/ includes upward: {line.strip()}")
        if found.group(1) == "config" and room not in ("config", "daemon", "cli"):
            problems.append(f"{path}:{number}: only daemon/ and cli/ read config/")
print("\n".join(problems))
print(f"{checked} includes checked, {len(problems)} problems")
sys.exit(1 if problems or checked == 0 else 0)
