// SPDX-License-Identifier: Apache-2.0
#include "plugin/opentalon_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/status.h"
#include "opentalon/plugin/v1/plugin.pb.h"
#include "plugin/h2/wire.h"
#include "plugin/handshake.h"
#include "plugin/manifest_parts.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {
namespace {

namespace theirs = ::opentalon::plugin::v1;
using nlohmann::json;

template <class Message>
absl::StatusOr<Message> Parse(std::string_view bytes, std::string_view what) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return h2::Misbehaved(fmt::format("the answer is no valid {}", what));
  }
  return message;
}

std::string_view JsonType(std::string_view type) {
  if (type == "int") return "integer";
  if (type == "float") return "number";
  if (type == "bool") return "boolean";
  for (const std::string_view known :
       {"integer", "number", "boolean", "object", "array", "string"}) {
    if (type == known) return known;
  }
  return "string";
}

json SchemaOf(const theirs::Parameter& parameter) {
  json schema = json::parse(parameter.schema(), nullptr, /*allow_exceptions=*/false);
  if (!schema.is_object()) schema = {{"type", JsonType(parameter.type())}};
  if (!schema.contains("description") && !parameter.description().empty()) {
    schema["description"] = parameter.description();
  }
  return schema;
}

json SchemaOf(const theirs::Action& action) {
  const auto& injected = action.inject_context_args();
  json schema = {{"type", "object"}, {"properties", json::object()}};
  for (const theirs::Parameter& parameter : action.parameters()) {
    if (std::ranges::find(injected, parameter.name()) != injected.end()) continue;
    schema["properties"][parameter.name()] = SchemaOf(parameter);
    if (parameter.required()) schema["required"].push_back(parameter.name());
  }
  return schema;
}

// A name that talon.v1 allows and no other tool has.
std::string FitName(std::string_view name, const std::set<std::string>& taken) {
  std::string fit(name.substr(0, kMaxToolName));
  for (char& c : fit) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
    if (!good) c = '_';
  }
  if (fit.empty()) fit = "_";
  std::string unique = fit;
  for (int number = 2; taken.contains(unique); ++number) {
    const std::string suffix = fmt::format("_{}", number);
    unique = fit.substr(0, kMaxToolName - suffix.size()) + suffix;
  }
  return unique;
}

// The value of an argument that the host knows and the model must not choose; nullopt when there
// is none.
std::optional<std::string> Injected(std::string_view name, const v1::ExecuteRequest& request) {
  if (name == "session_id" || name == "conversation_id") return request.session_id();
  if (name == "entity_id") return request.actor().user();
  return std::nullopt;
}

v1::ExecuteResponse Ours(theirs::ToolResultResponse& result) {
  v1::ExecuteResponse response;
  response.set_call_id(std::move(*result.mutable_call_id()));
  response.set_content(std::move(*result.mutable_content()));
  response.set_error(std::move(*result.mutable_error()));
  response.set_structured_json(std::move(*result.mutable_structured_content()));
  return response;
}

}  // namespace

absl::StatusOr<OpenTalonPlugin> ReadCapabilities(std::string_view bytes) {
  TALON_ASSIGN_OR_RETURN(const auto capabilities,
                         Parse<theirs::PluginCapabilities>(bytes, "PluginCapabilities"));
  OpenTalonPlugin plugin;
  plugin.name = capabilities.name();
  plugin.callbacks = capabilities.supports_callbacks();
  v1::Manifest manifest;
  manifest.set_protocol(kAppProtocol);
  manifest.set_name(capabilities.name());
  manifest.set_description(capabilities.description());
  manifest.set_dynamic(true);  // they may depend on the configuration
  std::set<std::string> taken;
  for (const theirs::Action& action : capabilities.actions()) {
    v1::ToolManifest* tool = manifest.add_tools();
    tool->set_name(*taken.insert(FitName(action.name(), taken)).first);
    tool->set_description(action.description());
    tool->set_schema_json(SchemaOf(action).dump(-1, ' ', false, json::error_handler_t::replace));
    tool->set_read_only(action.read_only());
    if (action.read_only()) tool->set_effect(v1::EFFECT_CLASS_READ);
    tool->set_user_only(action.user_only());
    tool->set_always_include(action.always_include());
    const auto& injected = action.inject_context_args();
    plugin.actions[tool->name()] = {action.name(), {injected.begin(), injected.end()}};
  }
  plugin.manifest = manifest.SerializeAsString();
  return plugin;
}

absl::StatusOr<std::string> MakeToolCall(const OpenTalonPlugin& plugin,
                                         std::string_view execute_request) {
  TALON_ASSIGN_OR_RETURN(const auto request,
                         Parse<v1::ExecuteRequest>(execute_request, "ExecuteRequest"));
  const auto action = plugin.actions.find(request.tool());
  if (action == plugin.actions.end()) {
    return NotFound(fmt::format("the plugin has no action '{}'", request.tool()));
  }
  const json arguments = json::parse(request.arguments_json(), nullptr, false);
  if (!arguments.is_object()) return InvalidArgument("the arguments are no JSON object");
  theirs::ToolCallRequest call;
  call.set_id(request.call_id());
  call.set_plugin(plugin.name);
  call.set_action(action->second.name);
  for (const auto& [name, value] : arguments.items()) {
    if (value.is_null()) continue;
    (*call.mutable_args())[name] =
        value.is_string() ? value.get_ref<const std::string&>() : value.dump();
  }
  for (const std::string& name : action->second.injected) {
    call.mutable_args()->erase(name);
    if (auto value = Injected(name, request)) (*call.mutable_args())[name] = *std::move(value);
  }
  return call.SerializeAsString();
}

std::string MakeFirstHostMessage(std::string_view tool_call) {
  theirs::HostMessage message;
  message.mutable_call()->ParseFromArray(tool_call.data(), static_cast<int>(tool_call.size()));
  return message.SerializeAsString();
}

absl::StatusOr<OpenTalonSays> ReadPluginMessage(std::string_view bytes) {
  TALON_ASSIGN_OR_RETURN(auto message, Parse<theirs::PluginMessage>(bytes, "PluginMessage"));
  OpenTalonSays says;
  if (message.has_callback_request()) {
    says.callback_id = message.callback_request().id();
    says.callback = fmt::format("{}.{}", message.callback_request().plugin(),
                                message.callback_request().action());
  } else if (message.has_result()) {
    says.execute_response = Ours(*message.mutable_result()).SerializeAsString();
  } else {
    return h2::Misbehaved("the plugin sent a message without content");
  }
  return says;
}

std::string RefuseCallback(const std::string& id, std::string_view why) {
  theirs::HostMessage message;
  message.mutable_callback_response()->set_id(id);
  message.mutable_callback_response()->set_error(std::string(why));
  return message.SerializeAsString();
}

absl::StatusOr<std::string> MakeExecuteResponse(std::string_view tool_result) {
  TALON_ASSIGN_OR_RETURN(auto result,
                         Parse<theirs::ToolResultResponse>(tool_result, "ToolResultResponse"));
  return Ours(result).SerializeAsString();
}

std::string MakeInit(const std::string& config_json) {
  theirs::PluginInitRequest request;
  request.set_config_json(config_json.empty() ? "{}" : config_json);
  return request.SerializeAsString();
}

std::size_t CountCredentials(std::string_view configure_request) {
  v1::ConfigureRequest request;
  request.ParseFromArray(configure_request.data(), static_cast<int>(configure_request.size()));
  return request.credentials().size();
}

}  // namespace talon::plugin
