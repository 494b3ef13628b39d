// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "gateway/api.h"
#include "io/sse.h"

namespace talon::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Problem(const std::string& body) {
  auto request = ParseChatCompletion(body);
  return request.ok() ? "" : std::string(Message(request.status()));
}

std::string WithMessages(const std::string& messages) {
  return R"({"model":"talon","messages":)" + messages + "}";
}

TEST(ParseChatCompletion, ReadsMessagesInstructionsAndParameters) {
  auto request = ParseChatCompletion(R"({"model":"talon","stream":true,
    "stream_options":{"include_usage":true},"temperature":0.5,"top_p":1,"max_tokens":5,
    "stop":["a","b"],"user":"u","messages":[
      {"role":"system","content":"one"},{"role":"developer","content":"two"},
      {"role":"user","content":[{"type":"text","text":"look"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
      {"role":"assistant","content":null,"tool_calls":[
        {"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c","content":"done"}]})");
  ASSERT_TRUE(request.ok()) << StatusText(request.status());
  EXPECT_EQ(request->instructions, "one\ntwo");
  ASSERT_EQ(request->messages.size(), 3u);
  EXPECT_EQ(request->messages[0].label.integrity, Integrity::kUser);
  EXPECT_EQ(std::get<model::ImagePart>(request->messages[0].parts[1]).base64, "AAAA");
  EXPECT_EQ(model::ToolCallsOf(request->messages[1]).at(0).name, "f");
  EXPECT_EQ(request->messages[1].label.integrity, Integrity::kUntrusted);
  EXPECT_EQ(std::get<model::ToolResult>(request->messages[2].parts[0]).call_id, "c");
  EXPECT_TRUE(request->stream);
  EXPECT_TRUE(request->include_usage);
  EXPECT_EQ(request->max_output_tokens, 5);
  EXPECT_EQ(request->user, "u");
}

TEST(ParseChatCompletion, ErrorsNameTheMember) {
  EXPECT_THAT(Problem("{"), HasSubstr("request body"));
  EXPECT_THAT(Problem("[]"), HasSubstr("request body"));
  EXPECT_THAT(Problem(R"({"messages":[]})"), StartsWith("model"));
  EXPECT_THAT(Problem(R"({"model":"talon"})"), StartsWith("messages"));
  EXPECT_THAT(Problem(R"({"model":"talon","n":2,"messages":[{"role":"user","content":"x"}]})"),
              StartsWith("n:"));
  EXPECT_THAT(Problem(WithMessages("[7]")), StartsWith("messages[0]"));
  EXPECT_THAT(Problem(WithMessages(R"([{"role":"king","content":"x"}])")),
              StartsWith("messages[0].role"));
  EXPECT_THAT(Problem(WithMessages(R"([{"role":"user"}])")), StartsWith("messages[0].content"));
  EXPECT_THAT(Problem(WithMessages(R"([{"role":"user","content":[{"type":"video"}]}])")),
              StartsWith("messages[0].content[0].type"));
  EXPECT_THAT(
      Problem(WithMessages(
          R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///x"}}]}])")),
      HasSubstr("image_url"));
  EXPECT_THAT(Problem(WithMessages(R"([{"role":"tool","content":"x"}])")),
              StartsWith("messages[0].tool_call_id"));
  EXPECT_THAT(
      Problem(R"({"model":"talon","stream":"yes","messages":[{"role":"user","content":"x"}]})"),
      StartsWith("stream"));
}

TEST(FormatCompletion, HasTheShapeOfTheOpenAiWire) {
  agent::TurnAnswer answer;
  answer.text = "hi";
  answer.usage.input_tokens = 3;
  answer.usage.output_tokens = 4;
  auto json = ParseJson(FormatCompletion({"id-1", "talon", 9}, answer), "completion");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ((*json)["object"], "chat.completion");
  EXPECT_EQ((*json)["choices"][0]["message"]["content"], "hi");
  EXPECT_EQ((*json)["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ((*json)["usage"]["total_tokens"], 7);
}

TEST(FormatCompletion, ClientCallsLeaveNoEmptyText) {
  agent::TurnAnswer answer;
  answer.client_calls.push_back({"c1", "f", R"({"a":1})", ""});
  answer.finish_reason = model::FinishReason::kToolCalls;
  auto json = ParseJson(FormatCompletion({"id-1", "talon", 9}, answer), "completion");
  ASSERT_TRUE(json.ok());
  EXPECT_TRUE((*json)["choices"][0]["message"]["content"].is_null());
  EXPECT_EQ((*json)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"],
            R"({"a":1})");
  EXPECT_EQ((*json)["choices"][0]["finish_reason"], "tool_calls");
}

TEST(OpenAiStream, ChunksParseAndEndWithDone) {
  OpenAiStream stream({"id-1", "talon", 9}, true);
  agent::TurnOutcome outcome;
  outcome.answer.text = "a\"b";
  const std::string wire = stream.Start() + stream.Text("a\"b") + stream.End(outcome);
  io::SseParser parser;
  std::vector<io::SseEvent> events;
  ASSERT_TRUE(parser.Feed(wire, events).ok());
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events.back().data, "[DONE]");
  std::string text;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    auto chunk = ParseJson(events[i].data, "chunk");
    ASSERT_TRUE(chunk.ok()) << events[i].data;
    EXPECT_EQ((*chunk)["object"], "chat.completion.chunk");
    if (!(*chunk)["choices"].empty()) {
      text += JsonString((*chunk)["choices"][0]["delta"], "content");
    }
  }
  EXPECT_EQ(text, "a\"b");
}

TEST(OpenAiStream, AnErrorIsAnErrorObject) {
  OpenAiStream stream({"id-1", "talon", 9}, false);
  agent::TurnOutcome outcome;
  outcome.error = MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport, "cut");
  EXPECT_THAT(stream.End(outcome), HasSubstr(R"("error":)"));
  EXPECT_THAT(stream.End(outcome), HasSubstr("[DONE]"));
}

TEST(Api, ErrorsMapToTheStatusClientsExpect) {
  struct Case {
    absl::StatusCode code;
    ErrorReason reason;
    int http;
  };
  for (const Case& c : {Case{absl::StatusCode::kInvalidArgument, ErrorReason::kNone, 400},
                        Case{absl::StatusCode::kUnauthenticated, ErrorReason::kNone, 401},
                        Case{absl::StatusCode::kNotFound, ErrorReason::kUnknownModel, 404},
                        Case{absl::StatusCode::kUnavailable, ErrorReason::kRateLimited, 429},
                        Case{absl::StatusCode::kUnavailable, ErrorReason::kOverloaded, 503},
                        Case{absl::StatusCode::kUnavailable, ErrorReason::kTransport, 502},
                        Case{absl::StatusCode::kPermissionDenied, ErrorReason::kAuth, 502},
                        Case{absl::StatusCode::kResourceExhausted, ErrorReason::kDiskFull, 507},
                        Case{absl::StatusCode::kInvalidArgument, ErrorReason::kDuplicate, 422},
                        Case{absl::StatusCode::kInternal, ErrorReason::kNone, 500}}) {
    EXPECT_EQ(HttpStatusOf(MakeError(c.code, c.reason, "x")), c.http) << static_cast<int>(c.code);
  }
  const io::ServerResponse response = ErrorResponse(WithRetryAfter(
      MakeError(absl::StatusCode::kUnavailable, ErrorReason::kRateLimited, "slow down"), 1500));
  EXPECT_EQ(response.headers.Get("Retry-After"), "2");
}

TEST(Api, OnlyTheTokensOwnerCanProveHealth) {
  const std::string nonce(48, 'a');
  EXPECT_EQ(HealthProof(Secret("t"), nonce), HealthProof(Secret("t"), nonce));
  EXPECT_NE(HealthProof(Secret("t"), nonce), HealthProof(Secret("u"), nonce));
  EXPECT_NE(HealthProof(Secret("t"), nonce), HealthProof(Secret("t"), std::string(48, 'b')));
}

TEST(Api, QueryValuesAreDecoded) {
  EXPECT_EQ(QueryValue("a=1&b=x%2Fy&c", "b"), "x/y");
  EXPECT_EQ(QueryValue("a=1&b=x%2Fy&c", "c"), "");
  EXPECT_EQ(QueryValue("", "a"), "");
}

}  // namespace
}  // namespace talon::gateway
