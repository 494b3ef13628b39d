// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_tool.h"

#include <utility>

namespace talon::plugin {

PluginTool::PluginTool(Manifest::Tool tool, std::shared_ptr<Supervisor> supervisor)
    : tool_(std::make_shared<const Manifest::Tool>(std::move(tool))),
      supervisor_(std::move(supervisor)) {}

io::Task<absl::StatusOr<tool::ToolOutput>> PluginTool::Execute(tool::Invocation invocation,
                                                               CallContext context) {
  const auto tool = tool_;
  const auto supervisor = supervisor_;
  co_return co_await supervisor->Execute(*tool, std::move(invocation), std::move(context));
}

}  // namespace talon::plugin
