// SPDX-License-Identifier: Apache-2.0
// The tools of the test plugin. Any thread.
#pragma once

#include <string>
#include <vector>

#include "talon/v1/plugin.pb.h"

namespace talon::test_plugin {

v1::Manifest MakeManifest(bool extra_tool);
// Adds tools that return their own name, as a dynamic plugin has them.
void AddNamed(const std::vector<std::string>& names, v1::Manifest& manifest);

struct Failure {
  int code = 0;  // gRPC status; 0 = none
  std::string message;
};

// Answers, or says how the call is to fail, or does not return.
Failure Execute(const v1::ExecuteRequest& request, const v1::ConfigureRequest& configured,
                v1::ExecuteResponse& response);

// Appends `line` to `file`. With a key, once for each key, also when the process is killed in
// between. Returns whether it appended.
bool LedgerAppend(const std::string& file, const std::string& line, const std::string& key);

}  // namespace talon::test_plugin
