// SPDX-License-Identifier: Apache-2.0
// The command line: parses it and calls one of commands.h.
#pragma once

namespace talon::cli {

// The process's exit code.
int Main(int argc, char** argv);

}  // namespace talon::cli
