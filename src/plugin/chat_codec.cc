// SPDX-License-Identifier: Apache-2.0
#include "plugin/chat_codec.h"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/status.h"
#include "base/text.h"
#include "plugin/extension/options.h"
#include "plugin/h2/wire.h"
#include "talon/v1/model.pb.h"

namespace talon::plugin {
namespace {

constexpr std::int64_t kMostTokens = 1'000'000'000;  // of one call

v1::ChatRole RoleOf(model::Role role) {
  switch (role) {
    case model::Role::kAssistant:
      return v1::CHAT_ROLE_ASSISTANT;
    case model::Role::kTool:
      return v1::CHAT_ROLE_TOOL;
    case model::Role::kSystem:
      return v1::CHAT_ROLE_SYSTEM;
    case model::Role::kUser:
      break;
  }
  return v1::CHAT_ROLE_USER;
}

v1::ChatToolChoice ChoiceOf(model::ToolChoice choice) {
  switch (choice) {
    case model::ToolChoice::kNone:
      return v1::CHAT_TOOL_CHOICE_NONE;
    case model::ToolChoice::kRequired:
      return v1::CHAT_TOOL_CHOICE_REQUIRED;
    case model::ToolChoice::kAuto:
      break;
  }
  return v1::CHAT_TOOL_CHOICE_AUTO;
}

std::string EffortOf(model::ReasoningEffort effort) {
  switch (effort) {
    case model::ReasoningEffort::kOff:
      return "off";
    case model::ReasoningEffort::kLow:
      return "low";
    case model::ReasoningEffort::kMedium:
      return "medium";
    case model::ReasoningEffort::kHigh:
      return "high";
    case model::ReasoningEffort::kDefault:
      break;
  }
  return "";
}

// Fills one part of a message. `string` fields must be UTF-8 on the wire.
class PartWriter {
 public:
  PartWriter(v1::ChatMessage& message, std::string_view provider)
      : message_(message), provider_(provider) {}

  absl::Status operator()(const model::TextPart& part) {
    message_.add_parts()->set_text(RepairUtf8(part.text));
    return absl::OkStatus();
  }
  absl::Status operator()(const model::ImagePart& part) {
    v1::ChatImage& image = *message_.add_parts()->mutable_image();
    image.set_media_type(RepairUtf8(part.media_type));
    image.set_url(RepairUtf8(part.url));
    if (!absl::Base64Unescape(absl::string_view(part.base64.data(), part.base64.size()),
                              image.mutable_data())) {
      return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kBadRequest,
                       "an image is no valid base64");
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const model::ReasoningPart& part) {
    if (part.provider != provider_) return absl::OkStatus();
    v1::ChatReasoning& reasoning = *message_.add_parts()->mutable_reasoning();
    reasoning.set_text(RepairUtf8(part.text));
    reasoning.set_signature(RepairUtf8(part.signature));
    reasoning.set_redacted(RepairUtf8(part.redacted));
    return absl::OkStatus();
  }
  absl::Status operator()(const model::ToolCall& part) {
    v1::ChatToolCall& call = *message_.add_parts()->mutable_tool_call();
    call.set_id(RepairUtf8(part.id));
    call.set_name(RepairUtf8(part.name));
    call.set_arguments_json(RepairUtf8(part.arguments));
    call.set_signature(RepairUtf8(part.signature));
    return absl::OkStatus();
  }
  absl::Status operator()(const model::ToolResult& part) {
    v1::ChatToolResult& result = *message_.add_parts()->mutable_tool_result();
    result.set_call_id(RepairUtf8(part.call_id));
    result.set_name(RepairUtf8(part.name));
    result.set_content(RepairUtf8(part.content));
    result.set_is_error(part.is_error);
    return absl::OkStatus();
  }

 private:
  v1::ChatMessage& message_;
  const std::string_view provider_;
};

model::FinishReason FinishOf(v1::ChatFinishReason reason) {
  switch (reason) {
    case v1::CHAT_FINISH_REASON_LENGTH:
      return model::FinishReason::kLength;
    case v1::CHAT_FINISH_REASON_TOOL_CALLS:
      return model::FinishReason::kToolCalls;
    case v1::CHAT_FINISH_REASON_CONTENT_FILTER:
      return model::FinishReason::kContentFilter;
    default:
      return model::FinishReason::kStop;
  }
}

// Parts that no model answers with (images, results) are left out.
void AddPart(v1::ChatPart& part, model::Message& message) {
  switch (part.part_case()) {
    case v1::ChatPart::kText:
      message.parts.push_back(model::TextPart{std::move(*part.mutable_text())});
      break;
    case v1::ChatPart::kReasoning: {
      v1::ChatReasoning& given = *part.mutable_reasoning();
      message.parts.push_back(
          model::ReasoningPart{.text = std::move(*given.mutable_text()),
                               .signature = std::move(*given.mutable_signature()),
                               .redacted = std::move(*given.mutable_redacted()),
                               .provider = ""});
      break;
    }
    case v1::ChatPart::kToolCall: {
      v1::ChatToolCall& given = *part.mutable_tool_call();
      message.parts.push_back(
          model::ToolCall{.id = std::move(*given.mutable_id()),
                          .name = std::move(*given.mutable_name()),
                          .arguments = std::move(*given.mutable_arguments_json()),
                          .signature = std::move(*given.mutable_signature())});
      break;
    }
    default:
      break;
  }
}

// Of one call: what cannot be would make a budget worthless.
std::int64_t Tokens(std::int64_t told) {
  return std::clamp<std::int64_t>(told, 0, kMostTokens);
}

model::ChatResponse TakeDone(v1::ChatDone& done) {
  model::ChatResponse response;
  response.message.role = model::Role::kAssistant;
  for (v1::ChatPart& part : *done.mutable_message()->mutable_parts()) {
    AddPart(part, response.message);
  }
  response.finish_reason = FinishOf(done.finish_reason());
  response.usage = {.input_tokens = Tokens(done.input_tokens()),
                    .output_tokens = Tokens(done.output_tokens()),
                    .cached_input_tokens = Tokens(done.cached_input_tokens()),
                    .cache_write_tokens = Tokens(done.cache_write_tokens()),
                    .reasoning_tokens = Tokens(done.reasoning_tokens())};
  response.usage_reported = done.usage_reported();
  response.model = h2::CleanText(done.model(), kMaxTitleBytes);
  response.response_id = h2::CleanText(done.response_id(), kMaxTitleBytes);
  return response;
}

}  // namespace

absl::StatusOr<std::string> EncodeChatRequest(const model::ChatRequest& request,
                                              std::string_view provider) {
  v1::ChatRequest out;
  out.set_model(RepairUtf8(request.model));
  out.set_system(RepairUtf8(request.system));
  for (const model::Message& message : request.messages) {
    v1::ChatMessage& added = *out.add_messages();
    added.set_role(RoleOf(message.role));
    for (const model::Part& part : message.parts) {
      TALON_RETURN_IF_ERROR(std::visit(PartWriter(added, provider), part));
    }
  }
  for (const model::ToolDefinition& tool : request.tools) {
    v1::ChatTool& added = *out.add_tools();
    added.set_name(RepairUtf8(tool.name));
    added.set_description(RepairUtf8(tool.description));
    added.set_schema_json(RepairUtf8(tool.schema));
  }
  out.set_tool_choice(ChoiceOf(request.tool_choice));
  if (request.max_output_tokens) out.set_max_output_tokens(*request.max_output_tokens);
  if (request.temperature) out.set_temperature(*request.temperature);
  if (request.top_p) out.set_top_p(*request.top_p);
  for (const std::string& stop : request.stop) out.add_stop(RepairUtf8(stop));
  out.set_reasoning_effort(EffortOf(request.reasoning));
  out.set_user(RepairUtf8(request.user));
  return out.SerializeAsString();
}

absl::StatusOr<ChatDelta> DecodeChatDelta(std::string_view bytes) {
  v1::ChatDelta delta;
  // The parser refuses strings that are not UTF-8, and would say so on our standard error.
  const google::protobuf::LogSilencer silent;
  if (!delta.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return h2::Misbehaved("a part of the answer is no valid ChatDelta");
  }
  switch (delta.delta_case()) {
    case v1::ChatDelta::kText:
      return TextDelta{std::move(*delta.mutable_text())};
    case v1::ChatDelta::kReasoning:
      return ReasoningDelta{std::move(*delta.mutable_reasoning())};
    case v1::ChatDelta::kToolCall:
      return CallDelta{std::move(*delta.mutable_tool_call()->mutable_id()),
                       std::move(*delta.mutable_tool_call()->mutable_name())};
    case v1::ChatDelta::kDone:
      return TakeDone(*delta.mutable_done());
    case v1::ChatDelta::DELTA_NOT_SET:
      break;
  }
  return h2::Misbehaved("a part of the answer is empty");
}

}  // namespace talon::plugin
