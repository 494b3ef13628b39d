// SPDX-License-Identifier: Apache-2.0
// What tests of the transport put into a call.
#pragma once

#include <chrono>
#include <string>

#include "base/call_context.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {

inline CallContext Within(std::chrono::milliseconds time) {
  CallContext context;
  context.deadline = std::chrono::steady_clock::now() + time;
  return context;
}

inline std::string Request(const std::string& tool, const std::string& arguments = "") {
  v1::ExecuteRequest request;
  request.set_tool(tool);
  request.set_arguments_json(arguments);
  return request.SerializeAsString();
}

}  // namespace talon::plugin
