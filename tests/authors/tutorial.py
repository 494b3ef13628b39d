#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Follows docs/plugins/tutorial.md literally: runs its blocks in an empty folder.

Usage: tutorial.py LANGUAGE TUTORIAL PREFIX WORD…
PREFIX: where talon is installed. Blocks of other languages are left out. Each WORD must be in what the
last block prints. Exit code 77: the toolchain of the language is absent.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

NEEDED = {"cpp": [["cmake", "--version"], ["c++", "--version"]], "go": [["go", "version"]],
          "python": [["/usr/bin/python3", "-c", "import grpc, google.protobuf"]]}
TIMEOUT_S = 560


def absent(language):
    for command in NEEDED[language]:
        if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True).returncode:
            return " ".join(command)
    return ""


def blocks(text, language):
    for info, body in re.findall(r"^```sh ?(\w*)\n(.*?)^```$", text, re.M | re.S):
        if info in ("", language):
            yield body


def main():
    language, tutorial, prefix, words = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if missing := absent(language):
        print(f"not run: `{missing}` does not work on this machine")
        sys.exit(77)
    found = list(blocks(tutorial.read_text(), language))
    if len(found) < 4:
        sys.exit(f"{tutorial}: {len(found)} blocks for {language}; expected at least 4")
    with tempfile.TemporaryDirectory(prefix="talon-tutorial-") as folder:
        environment = {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "HOME": os.environ.get("HOME", folder),
                       "LANG": "C.UTF-8"}
        script = "set -eu\n" + "\n".join(found[:-1]) + "\necho =====last=====\n" + found[-1]
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
    print(done.stdout)
    if done.returncode:
        sys.exit(f"a block failed with {done.returncode}")
    last = done.stdout.rpartition("=====last=====")[2]
    if lacking := [word for word in words if last.count(word) < 2]:
        sys.exit(f"`plugin run` and `chat` did not both say: {lacking}")


main()
