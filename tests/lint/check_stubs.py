#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Go messages of plugins/templates/go describe the contract as it stands: each holds the descriptor
that protoc makes of its .proto. Usage: check_stubs.py ROOT PROTOC"""
import pathlib
import re
import subprocess
import sys
import tempfile

root, protoc = pathlib.Path(sys.argv[1]), sys.argv[2]
RAW = re.compile(r"_rawDesc = \[\]byte\{(.*?)^\}", re.M | re.S)
problems = []


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def descriptor(name):
    """The one FileDescriptorProto of a FileDescriptorSet: a tag, a length, the rest."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([protoc, "-I", root / "proto", f"--descriptor_set_out={out.name}",
                        f"talon/v1/{name}.proto"], check=True)
        data = pathlib.Path(out.name).read_bytes()
    length, begin = varint(data, 1)
    return data[begin:begin + length]


stubs = sorted((root / "plugins/templates/go/talon/v1").glob("*.pb.go"))
for path in stubs:
    if path.name.endswith("_grpc.pb.go"):
        continue
    raw = RAW.search(path.read_text())
    known = bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", raw[1])) if raw else b""
    if known != descriptor(path.name.removesuffix(".pb.go")):
        problems.append(f"{path.relative_to(root)} is not of today's contract; run `make proto "
                        f"PROTO={root}/proto` in plugins/templates/go")
print("\n".join(problems))
print(f"{len(stubs)} files, {len(problems)} problems")
sys.exit(1 if problems or not stubs else 0)
