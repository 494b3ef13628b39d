// SPDX-License-Identifier: Apache-2.0
#include "model/google/schema.h"
#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

using testing::ElementsAre;

ChatRequest GeminiConversation() {
  ChatRequest request;
  request.model = "gemini-2.5-flash";
  request.system = "Be brief.";
  Message question = TextMessage(Role::kUser, "Look", Integrity::kUser);
  question.parts.push_back(ImagePart{.media_type = "image/png", .base64 = "aGk="});
  question.parts.push_back(ImagePart{.url = "https://example.com/a.webp?x=1"});
  request.messages = {
      question,
      AssistantCalls({ReasoningPart{"thought", "sigT", "", "acme"},
                      ReasoningPart{"no", "", "", "acme"},
                      ReasoningPart{"foreign", "x", "", "other"}, TextPart{"I look."},
                      ReasoningPart{"", "sigX", "", "acme"},
                      ToolCall{"call_1", "read", R"({"path":"/a"})", "sigC"},
                      ToolCall{"call_2", "list", "{broken", ""}}),
      ToolResults({ToolResult{"call_1", "", "text", false}}),
      ToolResults({ToolResult{"call_2", "list", "bad", true}}),
      TextMessage(Role::kUser, "Well?", Integrity::kUser),
  };
  request.tools = {
      {"read", "Reads.", R"({"$schema":"s","type":"object","additionalProperties":false,
                     "properties":{"path":{"type":"string","format":"uri"}},"required":["path"]})"},
      {"now", "Time.", R"({"type":"object","properties":{}})"}};
  return request;
}

TEST(GoogleRequestTest, WritesTheWholeConversation) {
  ModelRig rig(Wire::kGoogle);
  Json sent = rig.Sent(GeminiConversation());
  EXPECT_EQ(sent, Json::parse(R"({
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
      {"role": "user", "parts": [
        {"text": "Look"},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/a.webp?x=1"}}]},
      {"role": "model", "parts": [
        {"text": "thought", "thought": true, "thoughtSignature": "sigT"},
        {"text": "I look."},
        {"text": "", "thoughtSignature": "sigX"},
        {"functionCall": {"name": "read", "args": {"path": "/a"}}, "thoughtSignature": "sigC"},
        {"functionCall": {"name": "list", "args": {"raw": "{broken"}}}]},
      {"role": "user", "parts": [
        {"functionResponse": {"name": "read", "response": {"output": "text"}}},
        {"functionResponse": {"name": "list", "response": {"error": "bad"}}},
        {"text": "Well?"}]}],
    "tools": [{"functionDeclarations": [
      {"name": "read", "description": "Reads.", "parameters": {"type": "object",
        "properties": {"path": {"type": "string"}}, "required": ["path"]}},
      {"name": "now", "description": "Time."}]}],
    "generationConfig": {}})"))
      << sent.dump(1);
  const io::HttpRequest& http = rig.http.requests.back();
  EXPECT_EQ(http.url, "https://google.test/v1beta/models/gemini-2.5-flash:generateContent");
  EXPECT_EQ(http.headers.Get("x-goog-api-key"), "sk-test-0123456789");
}

TEST(GoogleRequestTest, WritesSettingsAndStreams) {
  ModelRig rig(Wire::kGoogle);
  ChatRequest request = GeminiConversation();
  request.model = "models/gemini-3-pro-preview";
  request.tool_choice = ToolChoice::kNone;
  request.max_output_tokens = 5;
  request.temperature = 0.5;
  request.top_p = 0.75;
  request.stop = {"END"};
  request.reasoning = ReasoningEffort::kLow;
  RecordingSink sink;
  Json sent = rig.Sent(request, &sink);
  EXPECT_EQ(sent["generationConfig"],
            Json::parse(R"({"maxOutputTokens":5,"temperature":0.5,"topP":0.75,
              "stopSequences":["END"],
              "thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}})"));
  EXPECT_EQ(sent["toolConfig"]["functionCallingConfig"]["mode"], "NONE");
  EXPECT_EQ(rig.http.requests.back().url,
            "https://google.test/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse");
  request.tool_choice = ToolChoice::kRequired;
  EXPECT_EQ(rig.Sent(request)["toolConfig"]["functionCallingConfig"]["mode"], "ANY");
  request.model = "gemini-2.5-pro";
  request.reasoning = ReasoningEffort::kOff;
  EXPECT_EQ(rig.Sent(request)["generationConfig"]["thinkingConfig"],
            Json::parse(R"({"thinkingBudget":128})"));
  request.model = "gemini-1.5-pro";
  EXPECT_FALSE(rig.Sent(request)["generationConfig"].contains("thinkingConfig"));
}

TEST(GoogleRequestTest, CallsOfOtherModelsGetTheStandInSignature) {
  ModelRig rig(Wire::kGoogle);
  ChatRequest request = GeminiConversation();
  request.model = "gemini-3-pro-preview";
  std::get<ToolCall>(request.messages[1].parts[5]).signature.clear();
  Json parts = rig.Sent(request)["contents"][1]["parts"];
  EXPECT_EQ(parts[3]["thoughtSignature"], "skip_thought_signature_validator");
  EXPECT_FALSE(parts[4].contains("thoughtSignature"));
}

TEST(GoogleRequestTest, RefusesModelNamesThatWouldChangeTheAddress) {
  ModelRig rig(Wire::kGoogle);
  for (std::string name : {"..", "models/..", "../../files", "models/a/b", "corpora/x", ""}) {
    ChatRequest request = ModelRig::Hello();
    request.model = name;
    EXPECT_EQ(ReasonOf(rig.Complete(request).status()), ErrorReason::kUnknownModel) << name;
  }
  EXPECT_TRUE(rig.http.requests.empty());
}

TEST(GoogleSchemaTest, CleansWhatIsNotSupported) {
  EXPECT_EQ(Json::parse(CleanSchema(R"({
    "$schema": "x", "$id": "y", "type": "object", "additionalProperties": false,
    "$defs": {"Color": {"type": "string", "enum": ["red", "blue"]}},
    "properties": {
      "color": {"$ref": "#/$defs/Color", "description": "Which"},
      "maybe": {"type": ["string", "null"], "format": "email"},
      "either": {"type": ["string", "integer"]},
      "when": {"type": "string", "format": "date-time"},
      "count": {"type": "integer", "enum": [1, 2], "exclusiveMinimum": 0, "minimum": 1},
      "mode": {"const": "fast"},
      "one": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
      "optional": {"anyOf": [{"type": "number"}, {"type": "null"}]},
      "list": {"type": "array"},
      "any": {},
      "yes": true,
      "whole": {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}},
                           "required": ["a"]},
                          {"properties": {"b": {"type": "string"}}}]}
    },
    "required": ["color", "absent"]})")),
            Json::parse(R"({
    "type": "object",
    "properties": {
      "color": {"type": "string", "enum": ["red", "blue"], "description": "Which"},
      "maybe": {"type": "string", "nullable": true},
      "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
      "when": {"type": "string", "format": "date-time"},
      "count": {"type": "integer", "minimum": 1},
      "mode": {"type": "string", "enum": ["fast"]},
      "one": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
      "optional": {"type": "number", "nullable": true},
      "list": {"type": "array", "items": {"type": "string"}},
      "any": {"type": "string"},
      "yes": {"type": "object"},
      "whole": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a"]}
    },
    "required": ["color"]})"));
}

TEST(GoogleSchemaTest, EndsOnSchemasThatReferToThemselves) {
  EXPECT_NE(CleanSchema(R"({"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}})"),
            "");
  EXPECT_NE(CleanSchema(R"({"type":"object","properties":{"a":{"$ref":"#/properties/a"}}})"), "");
  EXPECT_NE(CleanSchema(R"({"type":"object","properties":{"a":{"$ref":"#/~9/%"}}})"), "");
  for (std::string odd : {"", "[]", "null", "{", "{}", R"({"properties":[]})", R"({"allOf":[1]})",
                          R"({"type":5,"required":"x","enum":{}})"}) {
    EXPECT_EQ(CleanSchema(odd), "") << odd;
  }
}

const char kGeminiStream[] =
    R"(data: {"candidates":[{"content":{"parts":[{"text":"Plan.","thought":true}],"role":"model"},"index":0}],)"
    R"("usageMetadata":{"promptTokenCount":50,"totalTokenCount":60,"thoughtsTokenCount":10},)"
    R"("modelVersion":"gemini-2.5-flash","responseId":"r1"})"
    "\r\n\r\n"
    R"(data: {"candidates":[{"content":{"parts":[{"text":"Grüße "}],"role":"model"},"index":0}]})"
    "\r\n\r\n"
    R"(data: {"candidates":[{"content":{"parts":[{"text":"🙂"},{"text":"","thoughtSignature":"sigX"}],"role":"model"},"index":0}]})"
    "\r\n\r\n"
    R"(data: {"candidates":[{"content":{"parts":[)"
    R"({"functionCall":{"name":"read","args":{"path":"/a"}},"thoughtSignature":"sigC"},)"
    R"({"functionCall":{"name":"now"}}],"role":"model"},"finishReason":"STOP","index":0}],)"
    R"("usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":7,"thoughtsTokenCount":10,)"
    R"("cachedContentTokenCount":40,"totalTokenCount":67},"modelVersion":"gemini-2.5-flash","responseId":"r1"})"
    "\r\n\r\n";

TEST(GoogleAnswerTest, ReadsAStreamSplitAnywhere) {
  ModelRig rig(Wire::kGoogle);
  for (Splitting splitting : {Splitting::kOnePiece, Splitting::kEveryByte}) {
    auto answer = rig.Stream(kGeminiStream, splitting);
    ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
    auto calls = ToolCallsOf(answer->message);
    ASSERT_EQ(calls.size(), 2u);
    EXPECT_FALSE(calls[0].id.empty());
    EXPECT_NE(calls[0].id, calls[1].id);
    EXPECT_THAT(answer->message.parts,
                ElementsAre(Part(ReasoningPart{"Plan.", "", "", "acme"}),
                            Part(TextPart{"Grüße 🙂"}), Part(ReasoningPart{"", "sigX", "", "acme"}),
                            Part(ToolCall{calls[0].id, "read", R"({"path":"/a"})", "sigC"}),
                            Part(ToolCall{calls[1].id, "now", "{}", ""})));
    EXPECT_EQ(answer->finish_reason, FinishReason::kToolCalls);
    EXPECT_EQ(answer->usage, (Usage{.input_tokens = 50,
                                    .output_tokens = 17,
                                    .cached_input_tokens = 40,
                                    .reasoning_tokens = 10}));
    EXPECT_EQ(answer->response_id, "r1");
    EXPECT_EQ(rig.sink.text, "Grüße 🙂");
    EXPECT_EQ(rig.sink.reasoning, "Plan.");
    EXPECT_THAT(rig.sink.calls, ElementsAre("read", "now"));
  }
}

TEST(GoogleAnswerTest, ReadsAWholeAnswerAndAnArrayOfThem) {
  ModelRig rig(Wire::kGoogle);
  auto whole = rig.Answer(
      R"({"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"MAX_TOKENS"}]})");
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->finish_reason, FinishReason::kLength);
  rig.http.Push(fakes::Whole(
      200, R"([{"candidates":[{"content":{"parts":[{"text":"H"}]}}]},)"
           R"({"candidates":[{"content":{"parts":[{"text":"i"}]},"finishReason":"STOP"}]}])"));
  auto array = rig.Complete(ModelRig::Hello(), &rig.sink);
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(TextOf(array->message), "Hi");
}

TEST(GoogleAnswerTest, BlockedPromptsAndAnswers) {
  ModelRig rig(Wire::kGoogle);
  auto prompt = rig.Answer(R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}})");
  EXPECT_EQ(ReasonOf(prompt.status()), ErrorReason::kContentFiltered);
  auto answer = rig.Answer(R"({"candidates":[{"finishReason":"SAFETY"}]})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->finish_reason, FinishReason::kContentFilter);
  auto malformed = rig.Answer(R"({"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]})");
  ASSERT_TRUE(malformed.ok());
  EXPECT_TRUE(malformed->message.parts.empty());
}

}  // namespace
}  // namespace talon::model
