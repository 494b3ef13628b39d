#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what a Debian 12 machine lacks to build, run and test talon. Idempotent; needs root or sudo
# only when something is missing.
#   deploy/setup.sh [--test]    --test: also what only the tests need
set -euo pipefail

packages=(
  clang-19 lld-19 libclang-rt-19-dev clang-format-19 clang-tidy-19
  cmake ninja-build ccache pkg-config git ca-certificates
  libabsl-dev libprotobuf-dev protobuf-compiler libgrpc++-dev protobuf-compiler-grpc
  libyaml-cpp-dev libspdlog-dev libfmt-dev libsqlite3-dev libcurl4-openssl-dev
  nlohmann-json3-dev libvalijson-dev libboost1.81-dev libcli11-dev libre2-dev libssl-dev
  libutf8proc-dev libzstd-dev libnghttp2-dev libedit-dev
)
test_packages=(libgtest-dev libgmock-dev python3 python3-grpcio python3-protobuf curl procps zsh fish)

wanted=("${packages[@]}")
[[ "${1:-}" == "--test" ]] && wanted+=("${test_packages[@]}")

missing=()
for package in "${wanted[@]}"; do
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
    missing+=("$package")
done
# Any Node.js from 18 on will do for the end-to-end tests.
if [[ "${1:-}" == "--test" ]] && ! command -v npm >/dev/null; then missing+=(nodejs npm); fi
[[ ${#missing[@]} -eq 0 ]] && exit 0

echo "setup: installing ${missing[*]}" >&2
as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "setup: run as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q >&2
"${as_root[@]}" apt-get install -qy --no-install-recommends "${missing[@]}" >&2
