// SPDX-License-Identifier: Apache-2.0
// The messages of opentalon.plugin.v1 made from ours and the other way round. Pure, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talon::plugin {

// What a plugin told in Capabilities, as far as calls need it.
struct OpenTalonPlugin {
  struct Action {
    std::string name;                   // theirs
    std::vector<std::string> injected;  // arguments the host fills in
  };
  std::string name;  // as it calls itself; calls name it, nothing else uses it
  bool callbacks = false;
  std::map<std::string, Action, std::less<>> actions;  // by the name of our tool
  std::string manifest;                                // serialised talon.v1.Manifest
};

// Tools get the schema that their parameters describe; names are made fit for a model. What is for
// the host's prompt (addition, glossary, articles) is left out: a plugin does not write prompts.
absl::StatusOr<OpenTalonPlugin> ReadCapabilities(std::string_view bytes);

// From a talon.v1.ExecuteRequest. Every argument becomes text: strings as they are, the rest JSON.
absl::StatusOr<std::string> MakeToolCall(const OpenTalonPlugin& plugin,
                                         std::string_view execute_request);
std::string MakeFirstHostMessage(std::string_view tool_call);

// One message of ExecuteBidi.
struct OpenTalonSays {
  std::optional<std::string> callback_id;       // it wants something of the host
  std::string callback;                         // "plugin.action" of it
  std::optional<std::string> execute_response;  // the result, as ours
};
absl::StatusOr<OpenTalonSays> ReadPluginMessage(std::string_view bytes);
std::string RefuseCallback(const std::string& id, std::string_view why);

// A talon.v1.ExecuteResponse from a ToolResultResponse.
absl::StatusOr<std::string> MakeExecuteResponse(std::string_view tool_result);

std::string MakeInit(const std::string& config_json);

// The credentials that a talon.v1.ConfigureRequest carries.
std::size_t CountCredentials(std::string_view configure_request);

}  // namespace talon::plugin
