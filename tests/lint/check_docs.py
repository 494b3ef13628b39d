#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generated documents are what the program prints today, and the README names every command."""
import pathlib
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
talon = sys.argv[2]
problems = []


def printed(*args):
    return subprocess.run([talon, *args], check=True, capture_output=True, text=True).stdout


if (root / "config/talon.example.yaml").read_text() != printed("config", "example"):
    problems.append("config/talon.example.yaml differs from `talon config example`; run deploy/dev docs")
reference = (root / "docs/configuration.md").read_text()
if printed("config", "reference") not in reference:
    problems.append("docs/configuration.md differs from `talon config reference`; run deploy/dev docs")
contract = subprocess.run([sys.executable, root / "deploy/proto_reference.py", root], check=True,
                          capture_output=True, text=True).stdout
if (root / "docs/plugins/reference.md").read_text() != contract:
    problems.append("docs/plugins/reference.md differs from the protos' comments; run deploy/dev docs")
index = (root / "docs/plugins/README.md").read_text()
for page in sorted((root / "docs/plugins").glob("*.md")):
    if page.name != "README.md" and f"]({page.name})" not in index:
        problems.append(f"docs/plugins/README.md does not name {page.name}")
documented = "".join(p.read_text() for p in (root / "docs").glob("**/*.md")) + (root / "README.md").read_text()
commands = printed("completion", "bash").split("'")[1].split()
for command in commands:
    if not command.startswith("--") and f"talon {command}" not in documented:
        problems.append(f"`talon {command}` is in no document")
print("\n".join(problems))
print(f"{len(commands)} commands checked, {len(problems)} problems")
sys.exit(1 if problems or not commands else 0)
