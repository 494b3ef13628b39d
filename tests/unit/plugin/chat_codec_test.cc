// SPDX-License-Identifier: Apache-2.0
#include "plugin/chat_codec.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "talon/v1/model.pb.h"

namespace talon::plugin {
namespace {

v1::ChatRequest Encode(const model::ChatRequest& request) {
  const auto bytes = EncodeChatRequest(request, "mine");
  v1::ChatRequest message;
  EXPECT_TRUE(bytes.ok() && message.ParseFromString(*bytes)) << bytes.status();
  return message;
}

TEST(ChatCodecTest, ARequestGoesOutWhole) {
  model::ChatRequest request;
  request.model = "m";
  request.system = "be kind";
  request.messages = {
      {.role = model::Role::kUser,
       .parts = {model::TextPart{"look"},
                 model::ImagePart{.media_type = "image/png", .base64 = "AQID", .url = ""}},
       .label = {}},
      {.role = model::Role::kAssistant,
       .parts = {model::ReasoningPart{
                     .text = "hm", .signature = "p", .redacted = "r", .provider = "mine"},
                 model::ReasoningPart{
                     .text = "x", .signature = "", .redacted = "", .provider = "other"},
                 model::ToolCall{.id = "1", .name = "t", .arguments = "{}", .signature = "s"}},
       .label = {}},
      {.role = model::Role::kTool,
       .parts = {model::ToolResult{.call_id = "1", .name = "t", .content = "c", .is_error = true}},
       .label = {}}};
  request.tools = {{.name = "t", .description = "d", .schema = "{}"}};
  request.tool_choice = model::ToolChoice::kRequired;
  request.max_output_tokens = 7;
  request.temperature = 0.0;
  request.stop = {"END"};
  request.reasoning = model::ReasoningEffort::kHigh;
  request.user = "u";
  const v1::ChatRequest out = Encode(request);
  EXPECT_EQ(out.system(), "be kind");
  ASSERT_EQ(out.messages_size(), 3);
  EXPECT_EQ(out.messages(0).parts(1).image().data(), "\x01\x02\x03");
  ASSERT_EQ(out.messages(1).parts_size(), 2) << "reasoning goes to its own provider only";
  EXPECT_EQ(out.messages(1).parts(0).reasoning().signature(), "p");
  EXPECT_EQ(out.messages(1).parts(0).reasoning().redacted(), "r");
  EXPECT_EQ(out.messages(1).parts(1).tool_call().signature(), "s");
  EXPECT_TRUE(out.messages(2).parts(0).tool_result().is_error());
  EXPECT_EQ(out.tools(0).schema_json(), "{}");
  EXPECT_EQ(out.tool_choice(), v1::CHAT_TOOL_CHOICE_REQUIRED);
  EXPECT_EQ(out.max_output_tokens(), 7);
  EXPECT_TRUE(out.has_temperature());
  EXPECT_FALSE(out.has_top_p());
  EXPECT_EQ(out.stop(0), "END");
  EXPECT_EQ(out.reasoning_effort(), "high");
  EXPECT_EQ(out.user(), "u");
}

TEST(ChatCodecTest, AnImageThatIsNoBase64IsRefused) {
  model::ChatRequest request;
  request.messages = {{.role = model::Role::kUser,
                       .parts = {model::ImagePart{.media_type = "", .base64 = "%", .url = ""}},
                       .label = {}}};
  EXPECT_EQ(ReasonOf(EncodeChatRequest(request, "mine").status()), ErrorReason::kBadRequest);
}

TEST(ChatCodecTest, TheAnswerComesInWhole) {
  v1::ChatDelta delta;
  v1::ChatDone& done = *delta.mutable_done();
  done.mutable_message()->add_parts()->set_text("a");
  v1::ChatReasoning& reasoning = *done.mutable_message()->add_parts()->mutable_reasoning();
  reasoning.set_text("why");
  reasoning.set_signature("p");
  v1::ChatToolCall& call = *done.mutable_message()->add_parts()->mutable_tool_call();
  call.set_name("t");
  call.set_arguments_json("{}");
  done.mutable_message()->add_parts()->mutable_image();  // no model answers so: left out
  done.set_finish_reason(v1::CHAT_FINISH_REASON_LENGTH);
  done.set_input_tokens(5);
  done.set_cache_write_tokens(2);
  done.set_usage_reported(true);
  done.set_model("m-2026");
  done.set_response_id("r1");
  auto decoded = DecodeChatDelta(delta.SerializeAsString());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& response = std::get<model::ChatResponse>(*decoded);
  ASSERT_EQ(response.message.parts.size(), 3U);
  EXPECT_EQ(std::get<model::ReasoningPart>(response.message.parts[1]).signature, "p");
  EXPECT_EQ(std::get<model::ToolCall>(response.message.parts[2]).name, "t");
  EXPECT_EQ(response.finish_reason, model::FinishReason::kLength);
  EXPECT_EQ(response.usage.input_tokens, 5);
  EXPECT_EQ(response.usage.cache_write_tokens, 2);
  EXPECT_TRUE(response.usage_reported);
  EXPECT_EQ(response.model, "m-2026");
  EXPECT_EQ(response.response_id, "r1");
}

TEST(ChatCodecTest, WhatIsNoDeltaIsMisbehaviour) {
  for (const std::string& bytes :
       {std::string("\xff\xff"), std::string(), std::string("\x0a\x01\xff")}) {
    EXPECT_EQ(ReasonOf(DecodeChatDelta(bytes).status()), ErrorReason::kPluginMisbehaved);
  }
}

}  // namespace
}  // namespace talon::plugin
