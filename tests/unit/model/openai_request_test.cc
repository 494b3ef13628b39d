// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

ChatRequest OpenAiConversation() {
  ChatRequest request;
  request.model = "gpt-x";
  request.system = "Be brief.";
  Message question = TextMessage(Role::kUser, "What is \"this\"?\n", Integrity::kUser);
  question.parts.push_back(ImagePart{.media_type = "image/png", .base64 = "aGk="});
  question.parts.push_back(ImagePart{.url = "https://example.com/a.jpg"});
  request.messages = {
      question,
      AssistantCalls({ReasoningPart{"hm", "reasoning_content", "", "acme"},
                      TextPart{"Let me look."},
                      ToolCall{"call_1", "files.read", R"({"path": "/tmp/ü"})", ""},
                      ToolCall{"call 2", "list", "{broken", ""}}),
      ToolResults({ToolResult{"call_1", "files.read", "text", false},
                   ToolResult{"call 2", "list", "bad", true}}),
      TextMessage(Role::kAssistant, "It is a test.", Integrity::kUntrusted),
      TextMessage(Role::kUser, "Thanks", Integrity::kUser),
  };
  request.tools = {{"read", "Reads.", R"({"type":"object","properties":{"path":{}}})"},
                   {"bad", "", "not a schema"}};
  return request;
}

TEST(OpenAiRequestTest, WritesTheWholeConversation) {
  ModelRig rig(Wire::kOpenAi);
  RecordingSink sink;
  Json sent = rig.Sent(OpenAiConversation(), &sink);
  std::string second = sent["messages"][2]["tool_calls"][1]["id"];
  EXPECT_THAT(second, testing::MatchesRegex("call_[0-9a-f]{24}"));
  Json expected = Json::parse(R"({
    "model": "gpt-x",
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [
        {"type": "text", "text": "What is \"this\"?\n"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}}]},
      {"role": "assistant", "content": "Let me look.", "reasoning_content": "hm", "tool_calls": [
        {"id": "call_1", "type": "function",
         "function": {"name": "files_read", "arguments": "{\"path\": \"/tmp/ü\"}"}},
        {"id": "SECOND", "type": "function",
         "function": {"name": "list", "arguments": "{\"raw\":\"{broken\"}"}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "text"},
      {"role": "tool", "tool_call_id": "SECOND", "content": "bad"},
      {"role": "assistant", "content": "It is a test."},
      {"role": "user", "content": "Thanks"}],
    "tools": [
      {"type": "function", "function": {"name": "read", "description": "Reads.",
        "parameters": {"type": "object", "properties": {"path": {}}}}},
      {"type": "function", "function": {"name": "bad", "description": "",
        "parameters": {"type": "object", "properties": {}}}}],
    "stream": true, "stream_options": {"include_usage": true}})");
  expected["messages"][2]["tool_calls"][1]["id"] = second;
  expected["messages"][4]["tool_call_id"] = second;
  EXPECT_EQ(sent, expected) << sent.dump(1);
  const io::HttpRequest& http = rig.http.requests.back();
  EXPECT_EQ(http.method, "POST");
  EXPECT_EQ(http.url, "https://openai.test/v1/chat/completions");
  EXPECT_EQ(http.headers.Get("authorization"), "Bearer sk-test-0123456789");
  EXPECT_EQ(http.headers.Get("content-type"), "application/json");
}

TEST(OpenAiRequestTest, WritesSettings) {
  ModelRig rig(Wire::kOpenAi);
  ChatRequest request = ModelRig::Hello();
  request.tools = {{"read", "", "{}"}};
  request.tool_choice = ToolChoice::kRequired;
  request.max_output_tokens = 100;
  request.temperature = 0.25;
  request.top_p = 0.5;
  request.stop = {"END", "\n"};
  request.reasoning = ReasoningEffort::kHigh;
  request.user = "u1";
  Json sent = rig.Sent(request);
  EXPECT_EQ(sent["tool_choice"], "required");
  EXPECT_EQ(sent["max_tokens"], 100);
  EXPECT_EQ(sent["temperature"], 0.25);
  EXPECT_EQ(sent["top_p"], 0.5);
  EXPECT_EQ(sent["stop"], Json({"END", "\n"}));
  EXPECT_EQ(sent["reasoning_effort"], "high");
  EXPECT_EQ(sent["user"], "u1");
  EXPECT_FALSE(sent.contains("stream"));
  request.tool_choice = ToolChoice::kNone;
  EXPECT_EQ(rig.Sent(request)["tool_choice"], "none");
}

TEST(OpenAiRequestTest, UsesTheConfiguredModelsLimitsAndInputs) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.models = {{.id = "gpt-x", .max_tokens = 64, .reasoning_effort = "low"}};
  ChatRequest request = OpenAiConversation();
  request.max_output_tokens = 1000;
  Json sent = rig.Sent(request);
  EXPECT_EQ(sent["max_tokens"], 64);
  EXPECT_EQ(sent["reasoning_effort"], "low");
  EXPECT_EQ(sent["messages"][1]["content"][1],
            Json({{"type", "text"}, {"text", std::string(kImageOmitted)}}));
}

TEST(OpenAiRequestTest, KnowsReasoningModelsBehindAnyHost) {
  for (const char* model : {"gpt-5", "gpt-5-mini", "openai/o3", "o4-mini", "azure.gpt-5"}) {
    ModelRig proxy(Wire::kOpenAi);
    ChatRequest request = ModelRig::Hello();
    request.model = model;
    request.max_output_tokens = 10;
    const Json sent = proxy.Sent(request);
    EXPECT_EQ(sent["max_completion_tokens"], 10) << model;
    EXPECT_FALSE(sent.contains("max_tokens")) << model;
  }
  for (const char* model : {"gpt-4.1", "llama3.2", "olmo-2", "o", "qwen/qwq-5", "mistral/o3x"}) {
    ModelRig proxy(Wire::kOpenAi);
    ChatRequest request = ModelRig::Hello();
    request.model = model;
    request.max_output_tokens = 10;
    EXPECT_EQ(proxy.Sent(request)["max_tokens"], 10) << model;
  }
}

TEST(OpenAiRequestTest, TheConfiguredDialectCounts) {
  RecordingSink sink;
  ChatRequest request = ModelRig::Hello();
  request.model = "gpt-5";
  request.max_output_tokens = 10;
  request.user = "u1";
  ModelRig proxy(Wire::kOpenAi);
  proxy.options.dialect = {.max_tokens_field = MaxTokensField::kMaxTokens,
                           .stream_options = Sent::kNever,
                           .user = Sent::kNever};
  const Json sent = proxy.Sent(request, &sink);
  EXPECT_EQ(sent["max_tokens"], 10);
  EXPECT_FALSE(sent.contains("stream_options"));
  EXPECT_FALSE(sent.contains("user"));
  request.model = "local";
  ModelRig other(Wire::kOpenAi);
  other.options.dialect.max_tokens_field = MaxTokensField::kMaxCompletionTokens;
  EXPECT_EQ(other.Sent(request)["max_completion_tokens"], 10);
}

TEST(OpenAiRequestTest, FurtherMembersGoAsTheyAre) {
  ModelRig rig(Wire::kOpenAi);
  ChatRequest request = ModelRig::Hello();
  request.reasoning = ReasoningEffort::kLow;
  request.extra = {{"reasoning_effort", R"("minimal")"},
                   {"response_format", R"({"type":"json_schema","json_schema":{"name":"x"}})"},
                   {"seed", "7"},
                   {"odd \"name\"", "[1,2]"}};
  const Json sent = rig.Sent(request);
  EXPECT_EQ(sent["reasoning_effort"], "minimal");
  EXPECT_EQ(sent["response_format"]["json_schema"]["name"], "x");
  EXPECT_EQ(sent["seed"], 7);
  EXPECT_EQ(sent["odd \"name\""], Json::array({1, 2}));
}

TEST(OpenAiRequestTest, OtherWiresRefuseWhatTheyCannotDoByItsName) {
  for (const Wire wire : {Wire::kAnthropic, Wire::kGoogle}) {
    ModelRig rig(wire);
    ChatRequest request = ModelRig::Hello();
    request.extra = {{"reasoning_effort", R"("high")"}};
    request.reasoning = ReasoningEffort::kHigh;
    EXPECT_FALSE(rig.Sent(request).empty());
    request.extra["response_format"] = R"({"type":"json_object"})";
    const absl::Status refused = rig.Complete(request).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(talon::Message(refused)), testing::StartsWith("response_format: "));
    EXPECT_EQ(rig.http.requests.size(), 1u);
  }
}

TEST(OpenAiRequestTest, SpeaksTheDialectOfTheHost) {
  ModelRig openai(Wire::kOpenAi);
  openai.options.base_url = "https://api.openai.com/v1/";
  ChatRequest request = OpenAiConversation();
  request.max_output_tokens = 10;
  request.user = "u1";
  RecordingSink sink;
  EXPECT_EQ(openai.Sent(request, &sink)["max_completion_tokens"], 10);
  EXPECT_EQ(openai.http.requests.back().url, "https://api.openai.com/v1/chat/completions");

  ModelRig mistral(Wire::kOpenAi);
  mistral.options.base_url = "https://api.mistral.ai/v1";
  Json sent = mistral.Sent(request, &sink);
  EXPECT_FALSE(sent.contains("stream_options"));
  EXPECT_FALSE(sent.contains("user"));
  std::string id = sent["messages"][2]["tool_calls"][0]["id"];
  EXPECT_THAT(id, testing::MatchesRegex("[0-9a-zA-Z]{9}"));
  EXPECT_EQ(sent["messages"][3]["tool_call_id"], id);

  ModelRig deepseek(Wire::kOpenAi);
  deepseek.options.base_url = "https://api.deepseek.com";
  request.messages[1].parts.erase(request.messages[1].parts.begin());
  EXPECT_EQ(deepseek.Sent(request)["messages"][2]["reasoning_content"], "");

  ModelRig azure(Wire::kOpenAi);
  azure.options.base_url = "https://x.openai.azure.com/openai/deployments/d?api-version=1";
  azure.Sent(request);
  EXPECT_EQ(azure.http.requests.back().url,
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1");
}

TEST(OpenAiRequestTest, KeepsReasoningOfOthersToItself) {
  ModelRig rig(Wire::kOpenAi);
  ChatRequest request = OpenAiConversation();
  std::get<ReasoningPart>(request.messages[1].parts[0]).provider = "other";
  EXPECT_FALSE(rig.Sent(request)["messages"][2].contains("reasoning_content"));
}

TEST(OpenAiRequestTest, SendsNoAuthHeaderWithoutAKeyAndConfiguredHeaders) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.api_key = Secret();
  rig.options.headers = {{"X-Title", Secret("talon")}};
  rig.Sent(ModelRig::Hello());
  EXPECT_FALSE(rig.http.requests.back().headers.Has("authorization"));
  EXPECT_EQ(rig.http.requests.back().headers.Get("x-title"), "talon");
}

TEST(OpenAiRequestTest, IsValidJsonWhateverTheTextsAre) {
  ModelRig rig(Wire::kOpenAi);
  ChatRequest request = OpenAiConversation();
  request.system = std::string("\xff\xfe\0\x01\"\\", 6);
  request.messages.push_back(TextMessage(Role::kSystem, "late", Integrity::kSystem));
  request.messages.push_back(Message{});
  request.messages.push_back(AssistantCalls({}));
  request.messages.push_back(AssistantCalls({ToolCall{"", "", "", ""}}));
  request.messages.push_back(ToolResults({ImagePart{.base64 = "aGk="}}));
  Json sent = rig.Sent(request);  // parses
  EXPECT_EQ(sent["messages"].size(), 12u);
}

}  // namespace
}  // namespace talon::model
