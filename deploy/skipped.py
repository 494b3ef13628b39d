#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what was not tested, and why: skipped.py RESULT.xml... of `ctest --output-junit`. Knows how
GoogleTest, unittest (verbose), Node's test runner and our own scripts tell it."""
import re
import sys
import xml.etree.ElementTree as xml

INNER = [
    re.compile(r"^\S+: Skipped\n(?P<why>.+)\n(?:.*\n)*?\[  SKIPPED \] (?P<name>\S+)", re.M),  # GoogleTest
    re.compile(r"^(?P<name>\S+) \(.*\) ?(?:\n.*)?\.\.\. skipped ['\"](?P<why>.*)['\"]$", re.M),  # unittest
    re.compile(r"^\s*ok \d+ - (?P<name>.*) # SKIP ?(?P<why>.*)$", re.M),  # Node, TAP
    re.compile(r"^\s*﹣ (?P<name>.*?)(?: \([\d.]+ms\))? # (?P<why>.*)$", re.M),  # Node, spec
    re.compile(r"^(?P<name>)skipped: (?P<why>.*)$", re.M),  # ours
]


def skipped(case):
    """(name, reason) of the test, or of parts of it."""
    output = case.findtext("system-out") or ""
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
        last = [line for line in output.splitlines() if line.strip()][-1:]
        yield case.get("name"), (last or ["it says no reason"])[0]
        return
    for pattern in INNER:
        for found in pattern.finditer(output):
            name = f"{case.get('name')}: {found['name']}".removesuffix(": ")
            yield name, found["why"].strip() or "it says no reason"


def main():
    lines = []
    for path in sys.argv[1:]:
        for case in xml.parse(path).getroot().iter("testcase"):
            lines += [f"  {name}: {why}" for name, why in skipped(case)]
    print("\n".join(["SKIPPED:"] + sorted(set(lines)) if lines else ["nothing was skipped"]))


if __name__ == "__main__":
    main()
