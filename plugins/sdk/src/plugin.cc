// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "names.h"
#include "tool_list.h"

namespace talon::sdk {
namespace {

absl::Status Check(const Tool& tool) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("tool '{}': {}", tool.name, why));
  };
  if (!IsPlainName(tool.name)) return bad("name must match ^[a-zA-Z0-9_-]{1,48}$");
  if (!tool.handler) return bad("no handler");
  if (tool.description.empty()) return bad("no description");
  if (!nlohmann::json::accept(tool.schema.Json())) return bad("schema is not valid JSON");
  if (tool.read_only && tool.effect != Effect::kRead && tool.effect != Effect::kSend) {
    return bad("read_only contradicts its effect");
  }
  for (const std::string& sink : tool.sink_arguments) {
    if (!tool.schema.Has(sink)) return bad(fmt::format("sink '{}' is no argument", sink));
  }
  return absl::OkStatus();
}

absl::Status CheckAll(const std::vector<Tool>& tools) {
  std::set<std::string> names;
  for (const Tool& tool : tools) {
    if (absl::Status status = Check(tool); !status.ok()) return status;
    if (!names.insert(tool.name).second) {
      return absl::InvalidArgumentError(fmt::format("tool '{}': declared twice", tool.name));
    }
  }
  for (const Tool& tool : tools) {
    if (tool.compensation.empty()) continue;
    if (tool.compensation == tool.name || !names.contains(tool.compensation)) {
      return absl::InvalidArgumentError(
          fmt::format("tool '{}': its compensation '{}' is no other tool of this plugin", tool.name,
                      tool.compensation));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Result Result::Error(const absl::Status& status) {
  const auto message = status.message();
  return Error(std::string(message.data(), message.size()));
}

absl::Status Plugin::Configure(const Args&, const Folders&) {
  return absl::OkStatus();
}

Plugin::Plugin(PluginInfo info) : info_(std::move(info)), tools_(std::make_shared<ToolList>()) {}

std::shared_ptr<const std::vector<Tool>> Plugin::tools() const {
  return tools_->Get();
}

void Plugin::AddTool(Tool tool) {
  std::vector<Tool> tools = *tools_->Get();
  tools.push_back(std::move(tool));
  tools_->Set(std::move(tools));
}

absl::Status Plugin::SetTools(std::vector<Tool> tools) {
  if (!info_.dynamic) {
    return absl::FailedPreconditionError("set tools: the plugin does not say that it is dynamic");
  }
  if (absl::Status status = CheckAll(tools); !status.ok()) return status;
  tools_->Set(std::move(tools));
  return absl::OkStatus();
}

absl::Status Plugin::Validate() const {
  if (info_.watch && !info_.dynamic) {
    return absl::InvalidArgumentError("a plugin with `watch` must be `dynamic`");
  }
  return CheckAll(*tools_->Get());
}

}  // namespace talon::sdk
