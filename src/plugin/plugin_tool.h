// SPDX-License-Identifier: Apache-2.0
// A plugin's tool as the catalogue knows it. Shared by the catalogue; loop's thread.
#pragma once

#include <memory>

#include "plugin/manifest.h"
#include "plugin/supervisor.h"
#include "tool/tool.h"

namespace talon::plugin {

class PluginTool : public tool::Tool {
 public:
  // Shares the supervisor: a call under way outlives a reload.
  PluginTool(Manifest::Tool tool, std::shared_ptr<Supervisor> supervisor);
  const tool::ToolSpec& spec() const override { return tool_->spec; }
  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(tool::Invocation invocation,
                                                     CallContext context) override;

 private:
  const std::shared_ptr<const Manifest::Tool> tool_;  // shared with the calls under way
  const std::shared_ptr<Supervisor> supervisor_;
};

}  // namespace talon::plugin
