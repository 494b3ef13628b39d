// SPDX-License-Identifier: Apache-2.0
#include "chat.h"

#include <utility>

#include "talon/sdk/text.h"

namespace talon::sdk {
namespace {

ChatPart Convert(const v1::ChatPart& part) {
  switch (part.part_case()) {
    case v1::ChatPart::kImage:
      return ChatImage{part.image().media_type(), part.image().data(), part.image().url()};
    case v1::ChatPart::kReasoning:
      return ChatReasoning{part.reasoning().text(), part.reasoning().signature(),
                           part.reasoning().redacted()};
    case v1::ChatPart::kToolCall:
      return ChatToolCall{part.tool_call().id(), part.tool_call().name(),
                          part.tool_call().arguments_json(), part.tool_call().signature()};
    case v1::ChatPart::kToolResult:
      return ChatToolResult{part.tool_result().call_id(), part.tool_result().name(),
                            part.tool_result().content(), part.tool_result().is_error()};
    case v1::ChatPart::kText:
    case v1::ChatPart::PART_NOT_SET:
      break;
  }
  return ChatText{part.text()};
}

ChatRole Convert(v1::ChatRole role) {
  switch (role) {
    case v1::CHAT_ROLE_ASSISTANT:
      return ChatRole::kAssistant;
    case v1::CHAT_ROLE_TOOL:
      return ChatRole::kTool;
    case v1::CHAT_ROLE_SYSTEM:
      return ChatRole::kSystem;
    default:
      return ChatRole::kUser;
  }
}

ChatToolChoice Convert(v1::ChatToolChoice choice) {
  switch (choice) {
    case v1::CHAT_TOOL_CHOICE_NONE:
      return ChatToolChoice::kNone;
    case v1::CHAT_TOOL_CHOICE_REQUIRED:
      return ChatToolChoice::kRequired;
    default:
      return ChatToolChoice::kAuto;
  }
}

ChatRequest Convert(const v1::ChatRequest& given) {
  ChatRequest request;
  request.model = given.model();
  request.system = given.system();
  for (const v1::ChatMessage& each : given.messages()) {
    ChatMessage message{.role = Convert(each.role()), .parts = {}};
    for (const v1::ChatPart& part : each.parts()) message.parts.push_back(Convert(part));
    request.messages.push_back(std::move(message));
  }
  for (const v1::ChatTool& tool : given.tools()) {
    request.tools.push_back({tool.name(), tool.description(), tool.schema_json()});
  }
  request.tool_choice = Convert(given.tool_choice());
  if (given.has_max_output_tokens()) request.max_output_tokens = given.max_output_tokens();
  if (given.has_temperature()) request.temperature = given.temperature();
  if (given.has_top_p()) request.top_p = given.top_p();
  request.stop.assign(given.stop().begin(), given.stop().end());
  request.reasoning_effort = given.reasoning_effort();
  request.user = given.user();
  return request;
}

void Fill(const ChatText& text, v1::ChatPart& out) {
  out.set_text(RepairUtf8(text.text));
}
void Fill(const ChatImage& image, v1::ChatPart& out) {
  out.mutable_image()->set_media_type(RepairUtf8(image.media_type));
  out.mutable_image()->set_data(image.data);
  out.mutable_image()->set_url(RepairUtf8(image.url));
}
void Fill(const ChatReasoning& reasoning, v1::ChatPart& out) {
  out.mutable_reasoning()->set_text(RepairUtf8(reasoning.text));
  out.mutable_reasoning()->set_signature(RepairUtf8(reasoning.signature));
  out.mutable_reasoning()->set_redacted(RepairUtf8(reasoning.redacted));
}
void Fill(const ChatToolCall& call, v1::ChatPart& out) {
  out.mutable_tool_call()->set_id(RepairUtf8(call.id));
  out.mutable_tool_call()->set_name(RepairUtf8(call.name));
  out.mutable_tool_call()->set_arguments_json(RepairUtf8(call.arguments_json));
  out.mutable_tool_call()->set_signature(RepairUtf8(call.signature));
}
void Fill(const ChatToolResult& result, v1::ChatPart& out) {
  out.mutable_tool_result()->set_call_id(RepairUtf8(result.call_id));
  out.mutable_tool_result()->set_name(RepairUtf8(result.name));
  out.mutable_tool_result()->set_content(RepairUtf8(result.content));
  out.mutable_tool_result()->set_is_error(result.is_error);
}

v1::ChatFinishReason Convert(ChatFinish finish) {
  switch (finish) {
    case ChatFinish::kStop:
      return v1::CHAT_FINISH_REASON_STOP;
    case ChatFinish::kLength:
      return v1::CHAT_FINISH_REASON_LENGTH;
    case ChatFinish::kToolCalls:
      return v1::CHAT_FINISH_REASON_TOOL_CALLS;
    case ChatFinish::kContentFilter:
      return v1::CHAT_FINISH_REASON_CONTENT_FILTER;
  }
  return v1::CHAT_FINISH_REASON_STOP;
}

v1::ChatDelta Done(const ChatAnswer& answer) {
  v1::ChatDelta delta;
  v1::ChatDone& done = *delta.mutable_done();
  done.mutable_message()->set_role(v1::CHAT_ROLE_ASSISTANT);
  for (const ChatPart& part : answer.parts) {
    v1::ChatPart& out = *done.mutable_message()->add_parts();
    std::visit([&out](const auto& each) { Fill(each, out); }, part);
  }
  done.set_finish_reason(Convert(answer.finish));
  if (answer.usage) {
    done.set_usage_reported(true);
    done.set_input_tokens(answer.usage->input_tokens);
    done.set_output_tokens(answer.usage->output_tokens);
    done.set_cached_input_tokens(answer.usage->cached_input_tokens);
    done.set_cache_write_tokens(answer.usage->cache_write_tokens);
    done.set_reasoning_tokens(answer.usage->reasoning_tokens);
  }
  done.set_model(RepairUtf8(answer.model));
  done.set_response_id(RepairUtf8(answer.response_id));
  return delta;
}

class OutletSink : public ChatSink {
 public:
  explicit OutletSink(Outlet<v1::ChatDelta>& out) : out_(out) {}
  void Text(std::string_view text) override {
    v1::ChatDelta delta;
    delta.set_text(RepairUtf8(std::string(text)));
    out_.Send(std::move(delta));
  }
  void Reasoning(std::string_view text) override {
    v1::ChatDelta delta;
    delta.set_reasoning(RepairUtf8(std::string(text)));
    out_.Send(std::move(delta));
  }
  void ToolCall(std::string_view id, std::string_view name) override {
    v1::ChatDelta delta;
    delta.mutable_tool_call()->set_id(RepairUtf8(std::string(id)));
    delta.mutable_tool_call()->set_name(RepairUtf8(std::string(name)));
    out_.Send(std::move(delta));
  }

 private:
  Outlet<v1::ChatDelta>& out_;
};

}  // namespace

absl::Status Complete(ModelProvider& provider, const v1::ChatRequest& request, const CallInfo& call,
                      Outlet<v1::ChatDelta>& out) {
  OutletSink sink(out);
  const absl::StatusOr<ChatAnswer> answer = provider.Complete(Convert(request), call, sink);
  if (!answer.ok()) return answer.status();
  out.Send(Done(*answer));
  return absl::OkStatus();
}

}  // namespace talon::sdk
