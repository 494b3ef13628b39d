// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

using testing::ElementsAre;

ChatRequest Conversation() {
  ChatRequest request;
  request.model = "claude-sonnet-4-5";
  request.system = "Be brief.";
  Message question = TextMessage(Role::kUser, "Look", Integrity::kUser);
  question.parts.push_back(ImagePart{.media_type = "image/png", .base64 = "aGk="});
  question.parts.push_back(ImagePart{.url = "https://example.com/a.jpg"});
  request.messages = {
      TextMessage(Role::kSystem, "More rules.", Integrity::kSystem),
      question,
      AssistantCalls({ReasoningPart{"hm", "sig", "", "acme"}, ReasoningPart{"", "", "blob", "acme"},
                      ReasoningPart{"foreign", "x", "", "other"}, TextPart{"I look."},
                      ToolCall{"toolu_1", "read", R"({"path":"/a"})", ""},
                      ToolCall{"toolu_2", "list", "{broken", ""}}),
      TextMessage(Role::kUser, "And quickly", Integrity::kUser),
      ToolResults({ToolResult{"toolu_1", "read", "text", false}}),
      ToolResults({ToolResult{"toolu_2", "list", "", true}}),
      TextMessage(Role::kAssistant, "  ", Integrity::kUntrusted),
      TextMessage(Role::kUser, "Well?", Integrity::kUser),
  };
  request.tools = {{"read", "Reads.", R"({"type":"object"})"},
                   {"list", "Lists.", R"({"type":"object","$schema":"x"})"}};
  return request;
}

TEST(AnthropicRequestTest, WritesTheWholeConversation) {
  ModelRig rig(Wire::kAnthropic);
  RecordingSink sink;
  Json sent = rig.Sent(Conversation(), &sink);
  EXPECT_EQ(sent, Json::parse(R"({
    "model": "claude-sonnet-4-5", "max_tokens": 4096, "stream": true,
    "system": [{"type": "text", "text": "Be brief.\n\nMore rules.",
                "cache_control": {"type": "ephemeral"}}],
    "tools": [
      {"name": "read", "description": "Reads.", "input_schema": {"type": "object"}},
      {"name": "list", "description": "Lists.", "input_schema": {"type": "object", "$schema": "x"},
       "cache_control": {"type": "ephemeral"}}],
    "messages": [
      {"role": "user", "content": [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}}]},
      {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "/a"}},
        {"type": "tool_use", "id": "toolu_2", "name": "list", "input": {"raw": "{broken"}}]},
      {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "text"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true},
        {"type": "text", "text": "And quickly"},
        {"type": "text", "text": "Well?", "cache_control": {"type": "ephemeral"}}]}]})"))
      << sent.dump(1);
  const io::HttpRequest& http = rig.http.requests.back();
  EXPECT_EQ(http.url, "https://anthropic.test/v1/messages");
  EXPECT_EQ(http.headers.Get("x-api-key"), "sk-test-0123456789");
  EXPECT_EQ(http.headers.Get("anthropic-version"), "2023-06-01");
  EXPECT_FALSE(http.headers.Has("authorization"));
}

TEST(AnthropicRequestTest, MarksNothingCacheableWhenNotAsked) {
  ModelRig rig(Wire::kAnthropic);
  ChatRequest request = Conversation();
  request.cache_prefix = false;
  EXPECT_EQ(rig.Sent(request).dump().find("cache_control"), std::string::npos);
}

TEST(AnthropicRequestTest, WritesSettings) {
  ModelRig rig(Wire::kAnthropic);
  ChatRequest request = Conversation();
  request.tool_choice = ToolChoice::kRequired;
  request.temperature = 1.5;
  request.stop = {"END", " "};
  request.user = "u1";
  request.max_output_tokens = 77;
  request.reasoning = ReasoningEffort::kLow;
  Json sent = rig.Sent(request);
  EXPECT_EQ(sent["tool_choice"]["type"], "any");
  EXPECT_EQ(sent["temperature"], 1.0);
  EXPECT_EQ(sent["stop_sequences"], Json({"END"}));
  EXPECT_EQ(sent["metadata"]["user_id"], "u1");
  EXPECT_EQ(sent["max_tokens"], 77);
  EXPECT_FALSE(sent.contains("thinking")) << "excludes forced calls";
}

TEST(AnthropicRequestTest, ThinksWithABudgetOrAdaptively) {
  ModelRig rig(Wire::kAnthropic);
  ChatRequest request = ModelRig::Hello();
  request.model = "claude-sonnet-4-5-20250929";
  request.reasoning = ReasoningEffort::kMedium;
  request.temperature = 0.5;
  Json sent = rig.Sent(request);
  EXPECT_EQ(sent["thinking"], Json::parse(R"({"type":"enabled","budget_tokens":8192})"));
  EXPECT_EQ(sent["max_tokens"], 4096 + 8192);
  EXPECT_FALSE(sent.contains("temperature"));

  request.model = "claude-opus-4-7";
  sent = rig.Sent(request);
  EXPECT_EQ(sent["thinking"], Json::parse(R"({"type":"adaptive"})"));
  EXPECT_EQ(sent["output_config"]["effort"], "medium");
  EXPECT_EQ(sent["max_tokens"], 4096);
  request.reasoning = ReasoningEffort::kDefault;
  sent = rig.Sent(request);
  EXPECT_FALSE(sent.contains("thinking"));
  EXPECT_FALSE(sent.contains("temperature")) << "refused since 4.7";
}

TEST(AnthropicRequestTest, DoesNotBeginToThinkInsideAToolLoopOfAnotherModel) {
  ModelRig rig(Wire::kAnthropic);
  ChatRequest request = ModelRig::Hello();
  request.reasoning = ReasoningEffort::kLow;
  request.messages.push_back(AssistantCalls({ToolCall{"a", "read", "{}", ""}}));
  request.messages.push_back(ToolResults({ToolResult{"a", "read", "x", false}}));
  EXPECT_FALSE(rig.Sent(request).contains("thinking"));
  auto& parts = request.messages[1].parts;
  parts.insert(parts.begin(), ReasoningPart{"t", "s", "", "acme"});
  EXPECT_TRUE(rig.Sent(request).contains("thinking"));
}

TEST(AnthropicRequestTest, DeclaresTheToolsOfAHistoryWithoutTools) {
  ModelRig rig(Wire::kAnthropic);
  ChatRequest request = Conversation();
  request.tools.clear();
  Json sent = rig.Sent(request);
  EXPECT_EQ(sent["tools"].size(), 2u);
  EXPECT_EQ(sent["tools"][0]["name"], "list");
  EXPECT_EQ(sent["tool_choice"]["type"], "none");
}

TEST(AnthropicRequestTest, BeginsWithTheUser) {
  ModelRig rig(Wire::kAnthropic);
  ChatRequest request;
  request.model = "m";
  EXPECT_EQ(rig.Sent(request)["messages"][0]["role"], "user");
  request.messages.push_back(TextMessage(Role::kAssistant, "Hi", Integrity::kUntrusted));
  Json sent = rig.Sent(request);
  EXPECT_EQ(sent["messages"][0]["role"], "user");
  EXPECT_EQ(sent["messages"][1]["role"], "assistant");
}

TEST(AnthropicRequestTest, AcceptsAddressesWithAndWithoutVersion) {
  for (std::string base : {"https://a.test/x", "https://a.test/x/", "https://a.test/x/v1",
                           "https://a.test/x/v1/messages"}) {
    ModelRig rig(Wire::kAnthropic);
    rig.options.base_url = base;
    rig.Sent(ModelRig::Hello());
    EXPECT_EQ(rig.http.requests.back().url, "https://a.test/x/v1/messages") << base;
  }
}

const char kStream[] =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",)"
    R"("model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":10,)"
    R"("cache_creation_input_tokens":5,"cache_read_input_tokens":80,"output_tokens":1}}})"
    "\n\n"
    "event: content_block_start\n"
    R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking",)"
    R"("thinking":"","signature":""}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":0})"
    "\n\n"
    R"(data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"blob"}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":1})"
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
    R"(data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Ich lese 🙂"}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":2})"
    "\n\n"
    R"(data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use",)"
    R"("id":"toolu_1","name":"read","input":{}}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"path\""}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":":\"/a\"}"}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":3})"
    "\n\n"
    R"(data: {"type":"content_block_start","index":4,"content_block":{"type":"tool_use",)"
    R"("id":"toolu_2","name":"now","input":{}}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":4})"
    "\n\n"
    R"(data: {"type":"content_block_start","index":5,"content_block":{"type":"tool_use",)"
    R"("id":"toolu_3","name":"list","input":{"dir":"/"}}})"
    "\n\n"
    R"(data: {"type":"content_block_stop","index":5})"
    "\n\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},)"
    R"("usage":{"output_tokens":42}})"
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const char kWhole[] = R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x",
  "content":[{"type":"thinking","thinking":"Hm.","signature":"EqQB"},
             {"type":"redacted_thinking","data":"blob"},
             {"type":"text","text":"Ich lese 🙂"},
             {"type":"tool_use","id":"toolu_1","name":"read","input":{"path":"/a"}},
             {"type":"tool_use","id":"toolu_2","name":"now","input":{}},
             {"type":"tool_use","id":"toolu_3","name":"list","input":{"dir":"/"}}],
  "stop_reason":"tool_use","stop_sequence":null,
  "usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":80,
           "output_tokens":42}})";

void ExpectFullAnswer(const absl::StatusOr<ChatResponse>& answer) {
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_THAT(
      answer->message.parts,
      ElementsAre(Part(ReasoningPart{"Hm.", "EqQB", "", "acme"}),
                  Part(ReasoningPart{"", "", "blob", "acme"}), Part(TextPart{"Ich lese 🙂"}),
                  Part(ToolCall{"toolu_1", "read", R"({"path":"/a"})", ""}),
                  Part(ToolCall{"toolu_2", "now", "{}", ""}),
                  Part(ToolCall{"toolu_3", "list", R"({"dir":"/"})", ""})));
  EXPECT_EQ(answer->finish_reason, FinishReason::kToolCalls);
  EXPECT_EQ(answer->usage, (Usage{.input_tokens = 95,
                                  .output_tokens = 42,
                                  .cached_input_tokens = 80,
                                  .cache_write_tokens = 5}));
  EXPECT_EQ(answer->model, "claude-x");
  EXPECT_EQ(answer->response_id, "msg_1");
  EXPECT_EQ(answer->message.label.integrity, Integrity::kUntrusted);
}

TEST(AnthropicAnswerTest, ReadsAStreamSplitAnywhere) {
  ModelRig rig(Wire::kAnthropic);
  for (Splitting splitting : {Splitting::kOnePiece, Splitting::kEveryByte}) {
    ExpectFullAnswer(rig.Stream(kStream, splitting));
    EXPECT_EQ(rig.sink.text, "Ich lese 🙂");
    EXPECT_EQ(rig.sink.reasoning, "Hm.");
    EXPECT_THAT(rig.sink.calls, ElementsAre("read", "now", "list"));
  }
}

TEST(AnthropicAnswerTest, ReadsAWholeAnswerEvenWhenItAskedForAStream) {
  ModelRig rig(Wire::kAnthropic);
  ExpectFullAnswer(rig.Answer(kWhole));
  rig.http.Push(fakes::Whole(200, kWhole));
  ExpectFullAnswer(rig.Complete(ModelRig::Hello(), &rig.sink));
  EXPECT_EQ(rig.sink.text, "Ich lese 🙂");
}

TEST(AnthropicAnswerTest, WhatItReadsItSendsBack) {
  ModelRig rig(Wire::kAnthropic);
  auto answer = rig.Answer(kWhole);
  ASSERT_TRUE(answer.ok());
  ChatRequest request = ModelRig::Hello();
  request.messages.push_back(answer->message);
  EXPECT_EQ(rig.Sent(request)["messages"][1]["content"], Json::parse(kWhole)["content"]);
}

TEST(AnthropicAnswerTest, MapsStopReasons) {
  const std::pair<const char*, FinishReason> kReasons[] = {
      {"end_turn", FinishReason::kStop},
      {"stop_sequence", FinishReason::kStop},
      {"max_tokens", FinishReason::kLength},
      {"refusal", FinishReason::kContentFilter},
      {"pause_turn", FinishReason::kStop},
      {"model_context_window_exceeded", FinishReason::kLength},
  };
  ModelRig rig(Wire::kAnthropic);
  for (const auto& [name, reason] : kReasons) {
    auto answer =
        rig.Answer(fmt::format(R"({{"type":"message","content":[{{"type":"text","text":"a"}}],)"
                               R"("stop_reason":"{}"}})",
                               name));
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->finish_reason, reason) << name;
  }
}

TEST(AnthropicAnswerTest, OverloadInsideAStreamIsAnError) {
  ModelRig rig(Wire::kAnthropic);
  std::string body(kStream, 330);
  body = body.substr(0, body.rfind("\n\n") + 2);
  body +=
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
      "\"message\":\"Overloaded\"}}\n\n";
  rig.options.max_attempts = 1;
  auto answer = rig.Stream(body, Splitting::kOnePiece);
  EXPECT_EQ(ReasonOf(answer.status()), ErrorReason::kOverloaded) << StatusText(answer.status());
}

}  // namespace
}  // namespace talon::model
