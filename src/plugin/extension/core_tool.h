// SPDX-License-Identifier: Apache-2.0
// A tool of the core that is one coroutine: its arguments parsed, its error an answer to the model.
// Internal to the room.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "tool/tool.h"

namespace talon::plugin {

class CoreTool : public tool::Tool {
 public:
  using Run = std::function<io::Task<absl::StatusOr<std::string>>(
      tool::Invocation invocation, Json arguments, CallContext context)>;
  CoreTool(tool::ToolSpec spec, Run run) : spec_(std::move(spec)), run_(std::move(run)) {}

  const tool::ToolSpec& spec() const override { return spec_; }
  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(tool::Invocation invocation,
                                                     CallContext context) override;

 private:
  const tool::ToolSpec spec_;
  const Run run_;
};

}  // namespace talon::plugin
