// SPDX-License-Identifier: Apache-2.0
// The OpenAI wire seen from the server, and how errors look over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "gateway/api.h"
#include "gateway/caller.h"
#include "gateway/openai_wire.h"

namespace talon::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::string Body(const std::string& more,
                 const std::string& messages = R"([{"role":"user","content":"hi"}])") {
  return R"({"model":"talon","messages":)" + messages + (more.empty() ? "" : ",") + more + "}";
}

TEST(ParseTest, ReadsEverythingItKnows) {
  auto chat = ParseChatCompletion(R"({
    "model": "talon:best", "stream": true, "stream_options": {"include_usage": true},
    "temperature": 0.5, "top_p": 1, "max_tokens": 9, "stop": "END", "user": "anna", "n": 1,
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
      {"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"}]},
      {"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
        {"id": "c2", "type": "function", "function": {"name": "g"}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "one"},
      {"role": "tool", "tool_call_id": "c2", "name": "g", "content":
          [{"type": "text", "text": "two"}]},
      {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d",
               "parameters": {"type": "object"}}}, {"type": "function", "function": {"name": "g"}}],
    "tool_choice": "required", "unknown_member": [1]})");
  ASSERT_TRUE(chat.ok()) << StatusText(chat.status());
  EXPECT_EQ(chat->model, "talon:best");
  EXPECT_EQ(chat->instructions, "Be brief.\nBe kind.");
  EXPECT_TRUE(chat->stream);
  EXPECT_TRUE(chat->include_usage);
  EXPECT_EQ(chat->temperature, 0.5);
  EXPECT_EQ(chat->top_p, 1);
  EXPECT_EQ(chat->max_output_tokens, 9);
  EXPECT_THAT(chat->stop, ElementsAre("END"));
  EXPECT_EQ(chat->user, "anna");
  EXPECT_EQ(chat->tool_choice, model::ToolChoice::kRequired);
  ASSERT_THAT(chat->tools, SizeIs(2));
  EXPECT_EQ(chat->tools[0].schema, R"({"type":"object"})");
  EXPECT_EQ(chat->tools[1].schema, R"({"type":"object"})");
  ASSERT_THAT(chat->messages, SizeIs(5));
  const auto& user = chat->messages[0];
  EXPECT_EQ(user.label.integrity, Integrity::kUser);
  ASSERT_THAT(user.parts, SizeIs(3));
  EXPECT_EQ(std::get<model::ImagePart>(user.parts[1]).media_type, "image/png");
  EXPECT_EQ(std::get<model::ImagePart>(user.parts[1]).base64, "AAAA");
  EXPECT_EQ(std::get<model::ImagePart>(user.parts[2]).url, "https://example.com/a.png");
  const auto calls = model::ToolCallsOf(chat->messages[1]);
  ASSERT_THAT(calls, SizeIs(2));
  EXPECT_EQ(calls[0].arguments, R"({"a":1})");
  EXPECT_EQ(calls[1].arguments, "{}");
  EXPECT_EQ(std::get<model::ToolResult>(chat->messages[3].parts[0]).content, "two");
  EXPECT_EQ(model::TextOf(chat->messages[4]), "no");
  // What a client says of a model and of tools is not the user's word.
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(chat->messages[i].label.integrity, Integrity::kUntrusted);
  }
}

TEST(ParseTest, NullIsAbsent) {
  auto chat = ParseChatCompletion(
      Body(R"("temperature":null,"top_p":null,"max_tokens":null,"stop":null,"tools":null,)"
           R"("tool_choice":null,"stream":null,"stream_options":null,"user":null,"n":null)"));
  ASSERT_TRUE(chat.ok()) << StatusText(chat.status());
  EXPECT_FALSE(chat->stream || chat->temperature || chat->max_output_tokens);
}

TEST(ParseTest, WhatHasNoPlaceIsCarried) {
  auto chat = ParseChatCompletion(
      Body(R"("seed":7,"reasoning_effort":"minimal","response_format":{"type":"json_object"},)"
           R"("parallel_tool_calls":false,"logprobs":true,"frequency_penalty":0.5)"));
  ASSERT_TRUE(chat.ok()) << StatusText(chat.status());
  EXPECT_EQ(chat->reasoning, model::ReasoningEffort::kLow);
  EXPECT_THAT(chat->extra,
              testing::UnorderedElementsAre(
                  testing::Pair("seed", "7"), testing::Pair("reasoning_effort", R"("minimal")"),
                  testing::Pair("response_format", R"({"type":"json_object"})"),
                  testing::Pair("parallel_tool_calls", "false"), testing::Pair("logprobs", "true"),
                  testing::Pair("frequency_penalty", "0.5")));
}

TEST(ParseTest, DefaultsSpelledOutAreNoWishes) {
  auto chat = ParseChatCompletion(
      Body(R"("seed":null,"response_format":{"type":"text"},"parallel_tool_calls":true,)"
           R"("logprobs":false,"presence_penalty":0,"frequency_penalty":0.0,"store":false)"));
  ASSERT_TRUE(chat.ok()) << StatusText(chat.status());
  EXPECT_TRUE(chat->extra.empty());
}

TEST(ParseTest, TheNewerTokenLimitCounts) {
  EXPECT_EQ(ParseChatCompletion(Body(R"("max_completion_tokens":5)"))->max_output_tokens, 5);
}

TEST(ParseTest, AChosenFunctionIsTheOnlyOneOffered) {
  const std::string tools = R"("tools":[{"function":{"name":"a"}},{"function":{"name":"b"}}],)"
                            R"("tool_choice":{"type":"function","function":{"name":"b"}})";
  auto chat = ParseChatCompletion(Body(tools));
  ASSERT_TRUE(chat.ok());
  ASSERT_THAT(chat->tools, SizeIs(1));
  EXPECT_EQ(chat->tools[0].name, "b");
  EXPECT_EQ(chat->only_tool, "b");
  EXPECT_EQ(chat->tool_choice, model::ToolChoice::kRequired);
}

struct Refusal {
  std::string body;
  std::string begins;
};

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesTheMember) {
  auto chat = ParseChatCompletion(GetParam().body);
  ASSERT_FALSE(chat.ok()) << GetParam().body;
  EXPECT_TRUE(absl::IsInvalidArgument(chat.status()));
  EXPECT_THAT(std::string(Message(chat.status())), StartsWith(GetParam().begins))
      << GetParam().body;
}

std::string Messages(const std::string& message) {
  return Body("", "[{\"role\":\"user\",\"content\":\"x\"}," + message + "]");
}
std::string Parts(const std::string& part) {
  return Messages(R"({"role":"user","content":[{"type":"text","text":"a"},)" + part + "]}");
}
std::string Calls(const std::string& calls) {
  return Messages(R"({"role":"assistant","tool_calls":)" + calls + "}");
}
std::string Tools(const std::string& tools) {
  return Body("\"tools\":" + tools);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusalTest,
    testing::Values(
        Refusal{"", "request body: "}, Refusal{"{", "request body: "},
        Refusal{"[]", "request body: must be a JSON object"},
        Refusal{R"({"messages":[]})", "model: missing"},
        Refusal{R"({"model":"","messages":[]})", "model: missing"},
        Refusal{R"({"model":7})", "model: must be a string"},
        Refusal{R"({"model":"talon"})", "messages: must be an array"},
        Refusal{R"({"model":"talon","messages":{}})", "messages: must be an array"},
        Refusal{R"({"model":"talon","messages":[]})", "messages: must be an array"},
        Refusal{Body("", R"([{"role":"system","content":"x"}])"), "messages: needs a user"},
        Refusal{Messages("7"), "messages[1]: must be an object"},
        Refusal{Messages(R"({"role":"bard","content":"x"})"), "messages[1].role: 'bard'"},
        Refusal{Messages(R"({"content":"x"})"), "messages[1].role: ''"},
        Refusal{Messages(R"({"role":"user"})"), "messages[1].content: empty"},
        Refusal{Messages(R"({"role":"user","content":null})"), "messages[1].content: empty"},
        Refusal{Messages(R"({"role":"user","content":[]})"), "messages[1].content: empty"},
        Refusal{Messages(R"({"role":"user","content":7})"),
                "messages[1].content: must be a string"},
        Refusal{Parts(R"({"type":"video"})"), "messages[1].content[1].type: 'video'"},
        Refusal{Parts("7"), "messages[1].content[1].type: ''"},
        Refusal{Parts(R"({"type":"text","text":7})"), "messages[1].content[1].text: must be"},
        Refusal{Parts(R"({"type":"image_url"})"), "messages[1].content[1].image_url: must be"},
        Refusal{Parts(R"({"type":"image_url","image_url":{"url":"file:///etc/passwd"}})"),
                "messages[1].content[1].image_url: must be"},
        Refusal{Parts(R"({"type":"image_url","image_url":"data:image/png,raw"})"),
                "messages[1].content[1].image_url: must be"},
        Refusal{Messages(R"({"role":"tool","content":"x"})"), "messages[1].tool_call_id: missing"},
        Refusal{Calls("{}"), "messages[1].tool_calls: not an array"},
        Refusal{Calls("[7]"), "messages[1].tool_calls[0].function.name: missing"},
        Refusal{Calls(R"([{"function":{"name":"a"}},{"function":{}}])"),
                "messages[1].tool_calls[1].function.name: missing"},
        Refusal{Calls(R"([{"function":{"name":"a","arguments":{}}}])"),
                "messages[1].tool_calls[0].function.arguments: must be a string"},
        Refusal{Tools("{}"), "tools: must be an array"}, Refusal{Tools("[7]"), "tools[0]: needs"},
        Refusal{Tools(R"([{"function":{}}])"), "tools[0]: needs"},
        Refusal{Tools(R"([{"function":{"name":"a b"}}])"), "tools[0].function.name: must be"},
        Refusal{Tools(R"([{"function":{"name":"a"}},{"function":{"name":"a"}}])"),
                "tools[1].function.name: 'a' is there twice"},
        Refusal{Tools(R"([{"function":{"name":"a","parameters":[]}}])"),
                "tools[0].function.parameters: must be an object"},
        Refusal{Body(R"("tool_choice":"maybe")"), "tool_choice: must be"},
        Refusal{Body(R"("tool_choice":7)"), "tool_choice: must be"},
        Refusal{Body(R"("tool_choice":{"function":{"name":"b"}})"), "tool_choice: no function 'b'"},
        Refusal{Body(R"("n":2)"), "n: only 1"}, Refusal{Body(R"("n":"1")"), "n: must be"},
        Refusal{Body(R"("max_tokens":0)"), "max_tokens: must be"},
        Refusal{Body(R"("max_tokens":1.5)"), "max_tokens: must be"},
        Refusal{Body(R"("max_completion_tokens":"7")"), "max_completion_tokens: must be"},
        Refusal{Body(R"("temperature":"hot")"), "temperature: must be"},
        Refusal{Body(R"("top_p":[])"), "top_p: must be"},
        Refusal{Body(R"("stop":7)"), "stop: must be"},
        Refusal{Body(R"("stop":[7])"), "stop: must be"},
        Refusal{Body(R"("user":7)"), "user: must be"},
        Refusal{Body(R"("stream":"yes")"), "stream: must be"},
        Refusal{Body(R"("stream_options":[])"), "stream_options: must be"}));

agent::TurnAnswer SomeAnswer() {
  agent::TurnAnswer answer;
  answer.text = "Hello \"you\"";
  answer.usage = {
      .input_tokens = 7, .output_tokens = 3, .cached_input_tokens = 2, .reasoning_tokens = 1};
  return answer;
}

TEST(FormatTest, ACompletionIsAsTheApiHasIt) {
  const CompletionIds ids{.id = "chatcmpl-1", .model = "talon", .created = 5};
  Json json = Json::parse(FormatCompletion(ids, SomeAnswer()));
  EXPECT_EQ(json["id"], "chatcmpl-1");
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["created"], 5);
  ASSERT_TRUE(json["choices"].is_array());
  ASSERT_EQ(json["choices"].size(), 1u);
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["index"], 0);
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], "Hello \"you\"");
  EXPECT_FALSE(choice["message"].contains("tool_calls"));
  EXPECT_EQ(json["usage"]["prompt_tokens"], 7);
  EXPECT_EQ(json["usage"]["total_tokens"], 10);
  EXPECT_EQ(json["usage"]["prompt_tokens_details"]["cached_tokens"], 2);

  agent::TurnAnswer calls;
  calls.client_calls = {{.id = "c", .name = "f", .arguments = "{}", .signature = ""}};
  calls.finish_reason = model::FinishReason::kToolCalls;
  json = Json::parse(FormatCompletion(ids, calls));
  EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_TRUE(json["choices"][0]["message"]["content"].is_null());
  EXPECT_EQ(json["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "f");
}

// The documents of a stream; "[DONE]" is dropped.
std::vector<Json> Chunks(std::string text) {
  std::vector<Json> chunks;
  EXPECT_TRUE(text.ends_with("data: [DONE]\n\n")) << text;
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    const std::string event = text.substr(0, end);
    text.erase(0, end + 2);
    if (event.starts_with(":") || event == "data: [DONE]") continue;
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    chunks.push_back(Json::parse(event.substr(6)));
  }
  return chunks;
}

TEST(FormatTest, AStreamAddsUpToTheAnswer) {
  OpenAiStream format({.id = "chatcmpl-1", .model = "talon", .created = 5}, true);
  agent::TurnOutcome outcome;
  outcome.answer = SomeAnswer();
  outcome.answer.client_calls = {
      {.id = "c", .name = "f", .arguments = "{\"a\":1}", .signature = ""}};
  outcome.answer.finish_reason = model::FinishReason::kToolCalls;
  const auto chunks = Chunks(format.Start() + format.Reasoning("hm") + format.Text("Hello ") +
                             format.ToolStart({}) + format.ToolResult({}) +
                             format.Text("\"you\"\n") + format.End(outcome));
  ASSERT_THAT(chunks, SizeIs(7));
  for (const Json& chunk : chunks) {
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_EQ(chunk["id"], "chatcmpl-1");
  }
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(chunks[1]["choices"][0]["delta"]["reasoning_content"], "hm");
  EXPECT_EQ(chunks[3]["choices"][0]["delta"]["content"], "\"you\"\n");
  EXPECT_EQ(chunks[4]["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
  EXPECT_EQ(chunks[4]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"],
            "{\"a\":1}");
  EXPECT_EQ(chunks[5]["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_TRUE(chunks[6]["choices"].empty());
  EXPECT_EQ(chunks[6]["usage"]["prompt_tokens"], 7);
}

TEST(FormatTest, AnErrorEndsTheStream) {
  OpenAiStream format({}, false);
  agent::TurnOutcome outcome;
  outcome.error = MakeError(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, "busy");
  const auto chunks = Chunks(format.End(outcome));
  ASSERT_THAT(chunks, SizeIs(1));
  EXPECT_EQ(chunks[0]["error"]["type"], "overloaded_error");
}

struct Mapped {
  absl::StatusCode code;
  ErrorReason reason;
  int http;
  std::string type;
};
class MappingTest : public testing::TestWithParam<Mapped> {};

TEST_P(MappingTest, IsTheHttpStatus) {
  const absl::Status error = MakeError(GetParam().code, GetParam().reason, "what happened");
  io::ServerResponse response = ErrorResponse(error);
  EXPECT_EQ(response.status, GetParam().http);
  EXPECT_EQ(HttpStatusOf(error), GetParam().http);
  const Json json = Json::parse(response.body);
  EXPECT_EQ(json["error"]["message"], "what happened");
  EXPECT_EQ(json["error"]["type"], GetParam().type);
  EXPECT_EQ(response.headers.Has("WWW-Authenticate"), GetParam().http == 401);
}

using absl::StatusCode;
INSTANTIATE_TEST_SUITE_P(
    All, MappingTest,
    testing::Values(
        Mapped{StatusCode::kUnauthenticated, ErrorReason::kAuth, 502,
               "upstream_authentication_error"},
        Mapped{StatusCode::kResourceExhausted, ErrorReason::kQuota, 429, "insufficient_quota"},
        Mapped{StatusCode::kResourceExhausted, ErrorReason::kRateLimited, 429, "rate_limit_error"},
        Mapped{StatusCode::kUnavailable, ErrorReason::kOverloaded, 503, "overloaded_error"},
        Mapped{StatusCode::kInvalidArgument, ErrorReason::kContextTooLong, 400,
               "context_length_exceeded"},
        Mapped{StatusCode::kInvalidArgument, ErrorReason::kContentFiltered, 400, "content_filter"},
        Mapped{StatusCode::kUnavailable, ErrorReason::kTransport, 502, "upstream_error"},
        Mapped{StatusCode::kResourceExhausted, ErrorReason::kDiskFull, 507, "storage_full"},
        Mapped{StatusCode::kPermissionDenied, ErrorReason::kReadOnly, 503, "storage_read_only"},
        Mapped{StatusCode::kNotFound, ErrorReason::kUnknownModel, 404, "invalid_request_error"},
        Mapped{StatusCode::kInvalidArgument, ErrorReason::kDuplicate, 422, "idempotency_error"},
        Mapped{StatusCode::kInvalidArgument, ErrorReason::kBadRequest, 400,
               "invalid_request_error"},
        Mapped{StatusCode::kInvalidArgument, ErrorReason::kNone, 400, "invalid_request_error"},
        Mapped{StatusCode::kOutOfRange, ErrorReason::kNone, 400, "invalid_request_error"},
        Mapped{StatusCode::kUnauthenticated, ErrorReason::kNone, 401, "authentication_error"},
        Mapped{StatusCode::kPermissionDenied, ErrorReason::kNone, 403, "permission_error"},
        Mapped{StatusCode::kNotFound, ErrorReason::kNone, 404, "not_found_error"},
        Mapped{StatusCode::kAlreadyExists, ErrorReason::kNone, 409, "conflict_error"},
        Mapped{StatusCode::kAborted, ErrorReason::kNone, 409, "conflict_error"},
        Mapped{StatusCode::kFailedPrecondition, ErrorReason::kNone, 409, "conflict_error"},
        Mapped{StatusCode::kResourceExhausted, ErrorReason::kNone, 429, "rate_limit_error"},
        Mapped{StatusCode::kCancelled, ErrorReason::kNone, 499, "cancelled"},
        Mapped{StatusCode::kDeadlineExceeded, ErrorReason::kNone, 504, "timeout_error"},
        Mapped{StatusCode::kUnavailable, ErrorReason::kNone, 503, "service_unavailable"},
        Mapped{StatusCode::kUnimplemented, ErrorReason::kNone, 501, "not_supported"},
        Mapped{StatusCode::kInternal, ErrorReason::kNone, 500, "server_error"}));

TEST(MappingTest, RetryAfterIsInWholeSecondsRoundedUp) {
  const absl::Status error = WithRetryAfter(absl::UnavailableError("x"), 1200);
  EXPECT_EQ(ErrorResponse(error).headers.Get("Retry-After"), "2");
  EXPECT_FALSE(ErrorResponse(absl::UnavailableError("x")).headers.Has("Retry-After"));
}

TEST(BearerTest, MatchesTheTokenAndNothingElse) {
  auto matches = [](const std::string& value, std::string_view token) {
    io::ServerRequest request;
    request.headers.Set("Authorization", value);
    return !token.empty() && BearerToken(request) == token;
  };
  EXPECT_TRUE(matches("Bearer secret", "secret"));
  EXPECT_TRUE(matches("bearer  secret ", "secret"));
  for (const char* wrong : {"", "Bearer", "Bearer ", "secret", "Basic secret", "Bearer secre",
                            "Bearer secrets", "Bearer Secret", "Bearersecret"}) {
    EXPECT_FALSE(matches(wrong, "secret")) << wrong;
  }
  EXPECT_EQ(BearerToken({}), "");
}

TEST(QueryTest, ValuesAreDecoded) {
  EXPECT_EQ(QueryValue("a=1&b=x%20y&c", "b"), "x y");
  EXPECT_EQ(QueryValue("a=1&b=x%20y&c", "c"), "");
  EXPECT_EQ(QueryValue("ab=1", "a"), "");
  EXPECT_EQ(QueryValue("", "a"), "");
  EXPECT_EQ(QueryValue("&&a=2&a=3", "a"), "2");
}

}  // namespace
}  // namespace talon::gateway
