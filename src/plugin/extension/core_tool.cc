// SPDX-License-Identifier: Apache-2.0
#include "plugin/extension/core_tool.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"

namespace talon::plugin {
namespace {

// Whether the tool could not answer at all: then it may or may not have had its effect.
bool IsSilence(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

}  // namespace

io::Task<absl::StatusOr<tool::ToolOutput>> CoreTool::Execute(tool::Invocation invocation,
                                                             CallContext context) {
  TALON_CO_ASSIGN_OR_RETURN(Json arguments, ParseJson(invocation.arguments, "arguments"));
  tool::ToolOutput output;
  output.call_id = invocation.call_id;
  auto answer = co_await run_(std::move(invocation), std::move(arguments), std::move(context));
  if (answer.ok()) {
    output.content = *std::move(answer);
  } else if (IsSilence(answer.status())) {
    co_return answer.status();
  } else {
    output.error = std::string(Message(answer.status()));
  }
  co_return output;
}

}  // namespace talon::plugin
