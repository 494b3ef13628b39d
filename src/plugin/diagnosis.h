// SPDX-License-Identifier: Apache-2.0
// What can be seen of a program that did not start. Blocks; run it on a worker.
#pragma once

#include <string>

namespace talon::plugin {

// "/p/x: mode 0644 (not executable), owner 0, script of /usr/bin/python3 (missing)".
std::string DescribeProgram(const std::string& path);

}  // namespace talon::plugin
