// SPDX-License-Identifier: Apache-2.0
#include "plugin/contract.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "plugin/h2/wire.h"
#include "plugin/handshake.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {

std::string EncodeDescribe() {
  v1::DescribeRequest request;
  request.set_protocol(kAppProtocol);
  request.set_min_protocol(kMinAppProtocol);
  return request.SerializeAsString();
}

std::string EncodeConfigure(std::string_view config_json, const std::string& workspace,
                            const std::string& data_directory, const Credentials& credentials) {
  v1::ConfigureRequest request;
  request.set_config_json(config_json.empty() ? "{}" : std::string(config_json));
  request.set_workspace(workspace);
  request.set_data_directory(data_directory);
  for (const auto& [name, value] : credentials) {
    (*request.mutable_credentials())[name] = value.Reveal();
  }
  return request.SerializeAsString();
}

absl::StatusOr<std::string> EncodeExecute(const tool::Invocation& invocation,
                                          const std::string& tool_name, const Principal& actor) {
  for (const std::string* id :
       {&invocation.call_id, &invocation.idempotency_key, &invocation.session.str(), &actor.tenant,
        &actor.user, &actor.agent, &actor.origin}) {
    if (!IsValidUtf8(*id)) return InvalidArgument("an id of the call is not valid UTF-8");
  }
  v1::ExecuteRequest request;
  request.set_call_id(invocation.call_id);
  request.set_tool(tool_name);
  request.set_arguments_json(invocation.arguments);
  request.set_idempotency_key(invocation.idempotency_key);
  request.set_session_id(invocation.session.str());
  v1::Actor& who = *request.mutable_actor();
  who.set_tenant(actor.tenant);
  who.set_user(actor.user);
  who.set_agent(actor.agent);
  who.set_origin(actor.origin);
  return request.SerializeAsString();
}

absl::StatusOr<tool::ToolOutput> DecodeExecute(std::string_view bytes) {
  v1::ExecuteResponse response;
  if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return h2::Misbehaved("the answer is no valid ExecuteResponse");
  }
  tool::ToolOutput output;
  output.call_id = std::move(*response.mutable_call_id());
  output.content = std::move(*response.mutable_content());
  output.structured = std::move(*response.mutable_structured_json());
  output.error = std::move(*response.mutable_error());
  output.compensation = std::move(*response.mutable_compensation_json());
  return output;
}

}  // namespace talon::plugin
