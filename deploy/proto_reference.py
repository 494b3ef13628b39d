#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints docs/plugins/reference.md from the comments of proto/talon/v1. Usage: proto_reference.py ROOT

A comment line belongs to what follows it, one behind a declaration to that declaration.
"""
import pathlib
import re
import sys

ORDER = ["plugin", "extension", "auth", "storage", "notify", "schedule", "hook", "http", "model"]
FIELD = re.compile(r"(?P<type>(?:repeated |optional )?[\w.]+|map<[^>]+>) (?P<name>\w+) = (?P<number>\d+);")
VALUE = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*) = (?P<number>\d+);")
RPC = re.compile(r"rpc (?P<name>\w+)\((?P<request>(?:stream )?\w+)\) returns \((?P<answer>(?:stream )?\w+)\);")
HEAD = """# The contract, talon.v1

Generated from the comments of `proto/talon/v1/*.proto` by `deploy/dev docs`; the files are installed to
`share/talon/proto`. [README.md](README.md) says where to begin.
"""


def cell(text):
    return text.replace("|", "\\|")


class Page:
    def __init__(self):
        self.lines = []
        self.table = ""

    def head(self, level, title, comment):
        self.lines += ["", "#" * level + " " + title]
        if comment:
            self.lines += ["", comment]
        self.table = ""

    def row(self, heading, *cells):
        if self.table != heading:
            names = heading.split("|")
            self.lines += ["", f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
            self.table = heading
        self.lines.append("| " + " | ".join(cell(text) for text in cells) + " |")


def read(path, page):
    comment, group = [], ""
    for line in path.read_text().splitlines():
        text = line.strip()
        code, _, behind = text.partition("//")
        code, behind = code.strip(), behind.strip()
        if not code:
            if behind and "SPDX" not in behind:
                comment.append(behind)
            continue
        if code.startswith("syntax"):
            page.head(2, f"{path.stem}.proto", " ".join(comment))
            comment = []
            continue
        if code.startswith(("package", "import", "option")):
            comment = []
            continue
        said = " ".join(comment + ([behind] if behind else []))
        if begin := re.match(r"(service|message|enum) (\w+) \{", code):
            page.head(3, f"{begin[1]} {begin[2]}", said)
            if code.endswith("}"):
                page.lines += ["", "No fields."]
        elif begin := re.match(r"oneof (\w+) \{", code):
            group = begin[1]
        elif code == "}":
            group = ""
        elif rpc := RPC.match(code):
            page.row("method|request|answer|", f"`{rpc['name']}`", f"`{rpc['request']}`", f"`{rpc['answer']}`", said)
        elif value := VALUE.match(code):
            page.row("value|number|", f"`{value['name']}`", value["number"], said)
        elif field := FIELD.match(code):
            only = f"one of `{group}`. " if group else ""
            page.row("field|type|number|", f"`{field['name']}`", f"`{field['type']}`", field["number"], only + said)
        else:
            sys.exit(f"{path}: '{code}' is not understood")
        comment = []


def main():
    folder = pathlib.Path(sys.argv[1]) / "proto/talon/v1"
    found = {path.stem: path for path in folder.glob("*.proto")}
    page = Page()
    for name in [*(n for n in ORDER if n in found), *sorted(set(found) - set(ORDER))]:
        read(found[name], page)
    print(HEAD + "\n".join(page.lines))


main()
