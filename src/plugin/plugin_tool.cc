// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace talon::plugin {
namespace {

// Whether a call that was checked for `tool` is as good for the plugin as it is now.
bool Offers(const Manifest& manifest, const Manifest::Tool& tool) {
  return std::ranges::any_of(manifest.tools, [&](const Manifest::Tool& each) {
    const tool::ToolSpec& now = each.spec;
    const tool::ToolSpec& then = tool.spec;
    return each.name == tool.name && now.schema == then.schema && now.effect == then.effect &&
           now.read_only == then.read_only && now.idempotent == then.idempotent &&
           now.sink_arguments == then.sink_arguments && each.streams == tool.streams &&
           each.asks == tool.asks;
  });
}

}  // namespace

PluginTool::PluginTool(Manifest::Tool tool, std::shared_ptr<Supervisor> supervisor)
    : tool_(std::make_shared<const Manifest::Tool>(std::move(tool))),
      supervisor_(std::move(supervisor)) {}

io::Task<absl::StatusOr<tool::ToolOutput>> PluginTool::Execute(tool::Invocation invocation,
                                                               CallContext context) {
  const auto tool = tool_;
  const auto supervisor = supervisor_->Current();
  if (!Offers(supervisor->manifest(), *tool)) {
    co_return absl::AbortedError(
        fmt::format("plugin '{}': execute '{}': the plugin was reloaded meanwhile and this tool is "
                    "not what it was; call it again",
                    tool->spec.plugin, tool->name));
  }
  co_return co_await supervisor->Execute(*tool, std::move(invocation), std::move(context));
}

}  // namespace talon::plugin
