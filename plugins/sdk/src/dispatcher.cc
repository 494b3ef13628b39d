// SPDX-License-Identifier: Apache-2.0
#include "dispatcher.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <exception>
#include <nlohmann/json.hpp>

#include "talon/sdk/protocol.h"
#include "talon/sdk/text.h"
#include "tool_list.h"

namespace talon::sdk {
namespace {

v1::EffectClass Convert(Effect effect) {
  switch (effect) {
    case Effect::kRead:
      return v1::EFFECT_CLASS_READ;
    case Effect::kWrite:
      return v1::EFFECT_CLASS_WRITE;
    case Effect::kSend:
      return v1::EFFECT_CLASS_SEND;
    case Effect::kExec:
      return v1::EFFECT_CLASS_EXEC;
    case Effect::kSpend:
      return v1::EFFECT_CLASS_SPEND;
    case Effect::kAdmin:
      return v1::EFFECT_CLASS_ADMIN;
  }
  return v1::EFFECT_CLASS_EXEC;
}

v1::Access Convert(Access access) {
  switch (access) {
    case Access::kNone:
      return v1::ACCESS_NONE;
    case Access::kRead:
      return v1::ACCESS_READ;
    case Access::kWrite:
      return v1::ACCESS_WRITE;
  }
  return v1::ACCESS_NONE;
}

void Convert(const Needs& needs, v1::Needs& out) {
  out.set_network(needs.network == Network::kOutbound ? v1::NETWORK_OUTBOUND : v1::NETWORK_NONE);
  out.set_workspace(Convert(needs.workspace));
  for (const std::string& path : needs.read_paths) out.add_read_paths(path);
  for (const std::string& path : needs.write_paths) out.add_write_paths(path);
  for (const std::string& name : needs.credentials) out.add_credentials(name);
  out.set_memory_bytes(needs.memory_bytes);
  out.set_processes(needs.processes);
}

// Text for the model: valid UTF-8 within the limit, with a note when it was cut.
std::string Fit(std::string text, std::size_t max_bytes) {
  const std::size_t size = text.size();
  if (size > max_bytes) text.resize(TruncateUtf8(text, max_bytes).size());
  text = RepairUtf8(std::move(text));
  if (size > max_bytes) text += fmt::format("\n[cut after {} of {} bytes]", max_bytes, size);
  return text;
}

const Tool* FindTool(const std::vector<Tool>& tools, std::string_view name) {
  for (const Tool& tool : tools) {
    if (tool.name == name) return &tool;
  }
  return nullptr;
}

}  // namespace

v1::Manifest Dispatcher::Describe() {
  v1::Manifest manifest;
  manifest.set_protocol(kProtocolVersion);
  manifest.set_name(plugin_.info().name);
  manifest.set_version(plugin_.info().version);
  manifest.set_description(plugin_.info().description);
  Convert(plugin_.info().needs, *manifest.mutable_needs());
  manifest.set_dynamic(plugin_.info().dynamic);
  manifest.set_watch(plugin_.info().watch);
  described_ = plugin_.tools_->version();
  const auto tools = plugin_.tools();
  for (const Tool& tool : *tools) {
    v1::ToolManifest* out = manifest.add_tools();
    out->set_name(tool.name);
    out->set_description(tool.description);
    out->set_schema_json(tool.schema.Json());
    out->set_effect(Convert(tool.effect));
    out->set_read_only(tool.read_only);
    out->set_idempotent(tool.idempotent);
    out->set_user_only(tool.user_only);
    out->set_always_include(tool.always_include);
    for (const std::string& sink : tool.sink_arguments) out->add_sink_arguments(sink);
    out->set_timeout_ms(static_cast<std::uint32_t>(tool.timeout.count()));
    out->set_compensation(tool.compensation);
    out->set_streams(tool.streams);
    out->set_asks(tool.asks);
  }
  extensions_.Describe(manifest);
  return manifest;
}

absl::Status Dispatcher::Validate() const {
  absl::Status status = plugin_.Validate();
  return status.ok() ? extensions_.Validate() : status;
}

absl::Status Dispatcher::Configure(const v1::ConfigureRequest& request) {
  const std::lock_guard lock(configure_mutex_);
  if (configured_) return absl::FailedPreconditionError("configure: already configured");
  const std::string& text = request.config_json();
  const absl::StatusOr<Args> config = Args::Parse(text.empty() ? "{}" : text, "configuration");
  if (!config.ok()) return config.status();
  absl::Status status = plugin_.info().config.Check(config->json(), "option");
  if (!status.ok()) return status;
  try {
    status = plugin_.Configure(
        *config, {.workspace = request.workspace(),
                  .data = request.data_directory(),
                  .credentials = {request.credentials().begin(), request.credentials().end()}});
  } catch (const std::exception& error) {
    status = absl::InternalError(fmt::format("configure: {}", error.what()));
  }
  configured_ = status.ok();
  return status;
}

absl::Status Dispatcher::Execute(const v1::ExecuteRequest& request, const CallInfo& call,
                                 v1::ExecuteResponse& response) {
  if (!configured_) return absl::FailedPreconditionError("execute: not configured yet");
  const auto tools = plugin_.tools();
  const Tool* tool = FindTool(*tools, request.tool());
  if (tool == nullptr) {
    return absl::NotFoundError(fmt::format("execute: no tool '{}'", RepairUtf8(request.tool())));
  }
  Result result = Run(*tool, request.arguments_json(), call);
  response.set_call_id(request.call_id());
  response.set_content(Fit(std::move(result.content), max_content_bytes_));
  response.set_error(Fit(std::move(result.error), max_content_bytes_));
  // A structured result cannot be cut without breaking it.
  if (result.structured_json.size() <= max_content_bytes_) {
    response.set_structured_json(RepairUtf8(std::move(result.structured_json)));
  }
  response.set_compensation_json(RepairUtf8(std::move(result.compensation_json)));
  return absl::OkStatus();
}

absl::Status Dispatcher::Watch(Outlet<v1::PluginEvent>& out, const std::function<bool()>& over) {
  if (!plugin_.info().watch) return absl::UnimplementedError("watch: the tools do not change");
  const auto enough = [&] { return stopping_ || over(); };
  std::uint64_t known = described_;
  while (true) {
    known = plugin_.tools_->Wait(known, enough);
    if (enough()) return absl::OkStatus();
    v1::PluginEvent event;
    event.mutable_tools_changed();
    if (!out.Send(std::move(event))) return absl::OkStatus();
  }
}

void Dispatcher::WakeWatchers() {
  plugin_.tools_->Wake();
}

void Dispatcher::StopWatching() {
  stopping_ = true;
  WakeWatchers();
}

absl::Status Dispatcher::Guarded(const std::function<absl::Status()>& ask) {
  if (!configured_) return absl::FailedPreconditionError("not configured yet");
  try {
    return ask();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

Result Dispatcher::Run(const Tool& tool, const std::string& arguments_json, const CallInfo& call) {
  const absl::StatusOr<Args> args =
      Args::Parse(arguments_json.empty() ? "{}" : arguments_json, "arguments");
  if (!args.ok()) return Result::Error(args.status());
  const absl::Status status = tool.schema.Check(args->json(), "argument");
  if (!status.ok()) return Result::Error(status);
  try {
    return tool.handler(*args, call);
  } catch (const std::exception& error) {
    return Result::Error(fmt::format("{}: {}", tool.name, error.what()));
  }
}

std::string ManifestJson(const Plugin& plugin) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  // Describe() does not change the plugin.
  const v1::Manifest manifest = Dispatcher(const_cast<Plugin&>(plugin), 0).Describe();
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(manifest, &out, options);
  return status.ok() ? out : "";
}

}  // namespace talon::sdk
