#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Length, licence line, include guards, line width, heavy headers in headers, room folders."""
import pathlib
import re
import sys

MAX_LINES = 800
MAX_COLUMNS = 100
HEAVY = re.compile(
    r'#include <(nlohmann/json\.hpp|boost/beast|curl/|sqlite3\.h|nghttp2|yaml-cpp|grpcpp|spdlog|lua|CLI/)'
)
HEAVY_ALLOWED = {"src/config/binder.h"}  # included by load.cc alone

root = pathlib.Path(sys.argv[1])
problems = []
count = 0
for folder in ("src", "plugins", "tests"):
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in (".h", ".cc") or "node_modules" in path.parts:
            continue
        name = str(path.relative_to(root))
        lines = path.read_text().splitlines()
        count += 1
        if len(lines) > MAX_LINES:
            problems.append(f"{name}: {len(lines)} lines; the limit is {MAX_LINES}")
        if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            problems.append(f"{name}:1: no SPDX licence line")
        if path.suffix == ".h" and "#pragma once" not in lines:
            problems.append(f"{name}: no #pragma once")
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS and "http" not in line and 'R"' not in line:
                problems.append(f"{name}:{number}: {len(line)} columns")
            if (path.suffix == ".h" and folder == "src" and name not in HEAVY_ALLOWED
                    and HEAVY.match(line) and "/sqlite/" not in name):
                problems.append(f"{name}:{number}: heavy header in a header: {line}")
for room in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
    if any(room.iterdir()) and not (room / "README.md").exists():
        problems.append(f"src/{room.name}: no README.md")
print("\n".join(problems))
print(f"{count} files checked, {len(problems)} problems")
sys.exit(1 if problems or count == 0 else 0)
