#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Go peers of the interop tests: build.sh OUTPUT_FOLDER. Stubs are made from proto/ each time;
# modules come from the module proxy, pinned by go.sum. Exit code 77: no Go toolchain, nothing was built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
proto=$(cd "$here/../../../proto" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
have=$(command -v go >/dev/null && go env GOVERSION || echo none)
if [[ "$have" == none || "$(printf '%s\n' go1.24 "$have" | sort -V | head -1)" != go1.24 ]]; then
  echo "interop: needs Go 1.24 or later, here is: $have; the Go peers were not built, their tests do not run"
  exit 77
fi
mkdir -p "$out/src" "$out/bin"
cp -r "$here/go.mod" "$here/go.sum" "$here/cmd" "$out/src/"
cd "$out/src"
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
go build -o "$out/bin/" google.golang.org/protobuf/cmd/protoc-gen-go \
  google.golang.org/grpc/cmd/protoc-gen-go-grpc

talon=(talon/v1/extension.proto talon/v1/plugin.proto)
foreign=(opentalon/plugin/v1/plugin.proto opentalon/channel/v1/channel.proto)
options=()
for kind in go go-grpc; do
  for file in "${talon[@]}"; do options+=("--${kind}_opt=M$file=talon.example/interop/gen/talonpb"); done
  options+=("--${kind}_opt=Mopentalon/plugin/v1/plugin.proto=talon.example/interop/gen/pluginpb"
            "--${kind}_opt=Mopentalon/channel/v1/channel.proto=talon.example/interop/gen/channelpb"
            "--${kind}_opt=module=talon.example/interop" "--${kind}_out=.")
done
PATH="$out/bin:$PATH" protoc -I "$proto" "${options[@]}" "${talon[@]}" "${foreign[@]}"
go build -o "$out/bin/" ./cmd/...
