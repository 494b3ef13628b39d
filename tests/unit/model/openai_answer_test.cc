// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kChunk = R"({"id":"c1","object":"chat.completion.chunk","created":1,)"
                                    R"("model":"gpt-x-1","choices":[{"index":0,"delta":)";

std::string Chunk(const std::string& delta, const std::string& finish = "null") {
  return std::string(kChunk) + delta + R"(,"logprobs":null,"finish_reason":)" + finish + "}]}";
}

constexpr char kUsageChunk[] =
    R"({"id":"c1","object":"chat.completion.chunk","model":"gpt-x-1","choices":[],"usage":{)"
    R"("prompt_tokens":100,"completion_tokens":20,"total_tokens":120,)"
    R"("prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},)"
    R"("completion_tokens_details":{"reasoning_tokens":5}}})";

class OpenAiStreamTest : public testing::TestWithParam<Splitting> {};

INSTANTIATE_TEST_SUITE_P(Splittings, OpenAiStreamTest,
                         testing::Values(Splitting::kOnePiece, Splitting::kEveryByte));

TEST_P(OpenAiStreamTest, ReadsTextReasoningAndUsage) {
  ModelRig rig(Wire::kOpenAi);
  std::string body =
      ": OPENROUTER PROCESSING\n\n" +
      Events({Chunk(R"({"role":"assistant","content":"","refusal":null})"),
              Chunk(R"({"reasoning_content":"Think ","content":null})"),
              Chunk(R"({"reasoning_content":"more."})"), Chunk(R"({"content":"Grüße "})"),
              Chunk(R"({"content":"🙂\n\"x\""})"), Chunk("{}", "\"stop\""), kUsageChunk, "[DONE]"});
  auto answer = rig.Stream(body, GetParam());
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_EQ(TextOf(answer->message), "Grüße 🙂\n\"x\"");
  EXPECT_EQ(rig.sink.text, "Grüße 🙂\n\"x\"");
  EXPECT_EQ(rig.sink.reasoning, "Think more.");
  EXPECT_EQ(answer->message.parts.front(),
            Part(ReasoningPart{"Think more.", "reasoning_content", "", "acme"}));
  EXPECT_EQ(answer->message.role, Role::kAssistant);
  EXPECT_EQ(answer->message.label.integrity, Integrity::kUntrusted);
  EXPECT_EQ(answer->finish_reason, FinishReason::kStop);
  EXPECT_TRUE(answer->usage_reported);
  EXPECT_EQ(answer->usage, (Usage{.input_tokens = 100,
                                  .output_tokens = 20,
                                  .cached_input_tokens = 64,
                                  .reasoning_tokens = 5}));
  EXPECT_EQ(answer->model, "gpt-x-1");
  EXPECT_EQ(answer->response_id, "c1");
  EXPECT_EQ(rig.http.streams_dropped, 0) << "the connection can be used again";
}

TEST_P(OpenAiStreamTest, ReadsParallelCallsInFragments) {
  ModelRig rig(Wire::kOpenAi);
  std::string body =
      Events({Chunk(R"({"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_a",)"
                    R"("type":"function","function":{"name":"read","arguments":""}}]})"),
              Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"pa"}}]})"),
              Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"th\":1}"}}]})"),
              Chunk(R"({"tool_calls":[{"index":1,"id":"call_b","type":"function",)"
                    R"("function":{"name":"list","arguments":"{}"}}]})"),
              Chunk("{}", "\"tool_calls\""), "[DONE]"});
  auto answer = rig.Stream(body, GetParam());
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_THAT(ToolCallsOf(answer->message), ElementsAre(ToolCall{"call_a", "read", "{\"path\":1}"},
                                                        ToolCall{"call_b", "list", "{}"}));
  EXPECT_EQ(answer->finish_reason, FinishReason::kToolCalls);
  EXPECT_THAT(rig.sink.calls, ElementsAre("read", "list"));
  EXPECT_FALSE(answer->usage_reported);
}

TEST_P(OpenAiStreamTest, IsTheSameAsTheWholeAnswer) {
  ModelRig rig(Wire::kOpenAi);
  auto streamed = rig.Stream(
      Events({Chunk(R"({"content":"Hi"})"), Chunk("{}", "\"length\""), kUsageChunk}), GetParam());
  auto whole = rig.Answer(
      R"({"id":"c1","object":"chat.completion","model":"gpt-x-1","choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":"Hi","refusal":null},"finish_reason":"length"}],)"
      R"("usage":{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":)"
      R"({"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":5}}})");
  ASSERT_TRUE(streamed.ok() && whole.ok());
  EXPECT_EQ(streamed->message, whole->message);
  EXPECT_EQ(streamed->usage, whole->usage);
  EXPECT_EQ(streamed->finish_reason, whole->finish_reason);
  EXPECT_EQ(whole->finish_reason, FinishReason::kLength);
}

std::vector<ToolCall> CallsOf(const std::vector<std::string>& deltas) {
  ModelRig rig(Wire::kOpenAi);
  std::vector<std::string> documents;
  for (const std::string& delta : deltas) documents.push_back(Chunk(delta));
  documents.push_back(Chunk("{}", "\"stop\""));
  auto answer = rig.Stream(Events(documents), Splitting::kOnePiece);
  EXPECT_TRUE(answer.ok()) << StatusText(answer.status());
  if (!answer.ok()) return {};
  EXPECT_EQ(answer->finish_reason, FinishReason::kToolCalls) << "even where the server says stop";
  std::vector<ToolCall> calls = ToolCallsOf(answer->message);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_FALSE(calls[i].id.empty());
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(calls[i].id, calls[j].id);
  }
  return calls;
}

TEST(OpenAiQuirksTest, LogprobsOfAllPiecesAreGathered) {
  ModelRig rig(Wire::kOpenAi);
  const std::string one = R"({"choices":[{"index":0,"delta":{"content":"a"},)"
                          R"("logprobs":{"content":[{"token":"a","logprob":-0.5}]}}]})";
  const std::string two = R"({"choices":[{"index":0,"delta":{"content":"b"},)"
                          R"("logprobs":{"content":[{"token":"b","logprob":-1}]},)"
                          R"("finish_reason":"stop"}]})";
  const auto answer = rig.Stream(Events({one, two}), Splitting::kOnePiece);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const Json logprobs = Json::parse(answer->logprobs);
  ASSERT_EQ(logprobs["content"].size(), 2u);
  EXPECT_EQ(logprobs["content"][1]["token"], "b");
}

TEST(OpenAiQuirksTest, WholeCallsWithoutIdOrIndex) {
  auto calls = CallsOf({R"({"tool_calls":[{"function":{"name":"a","arguments":"{\"x\":1}"}},)"
                        R"({"function":{"name":"a","arguments":"{\"x\":2}"}}]})"});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].arguments, "{\"x\":1}");
  EXPECT_EQ(calls[1].arguments, "{\"x\":2}");
}

TEST(OpenAiQuirksTest, EveryCallHasIndexZero) {
  EXPECT_EQ(
      CallsOf({R"({"tool_calls":[{"index":0,"id":"x","function":{"name":"a","arguments":"{}"}}]})",
               R"({"tool_calls":[{"index":0,"id":"y","function":{"name":"b","arguments":"{}"}}]})"})
          .size(),
      2u);
  EXPECT_EQ(CallsOf({R"({"tool_calls":[{"index":0,"function":{"name":"a","arguments":"{}"}},)"
                     R"({"index":0,"function":{"name":"a","arguments":"{}"}}]})"})
                .size(),
            2u);
}

TEST(OpenAiQuirksTest, NameAndIdRepeatedWithEachFragment) {
  auto calls = CallsOf(
      {R"({"tool_calls":[{"index":0,"id":"x","function":{"name":"a","arguments":"{\"k\""}}]})",
       R"({"tool_calls":[{"index":0,"id":"x","function":{"name":"a","arguments":":1}"}}]})"});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].arguments, "{\"k\":1}");
  EXPECT_EQ(calls[0].name, "a");
}

TEST(OpenAiQuirksTest, FragmentsWithoutIndex) {
  auto calls =
      CallsOf({R"({"tool_calls":[{"id":"x","function":{"name":"a","arguments":"{\"k\""}}]})",
               R"({"tool_calls":[{"function":{"arguments":":1}"}}]})",
               R"({"tool_calls":[{"id":"y","function":{"name":"b"}}]})",
               R"({"tool_calls":[{"id":"x","function":{"arguments":" "}}]})"});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0], (ToolCall{"x", "a", "{\"k\":1} "}));
  EXPECT_EQ(calls[1], (ToolCall{"y", "b", "{}"}));
}

TEST(OpenAiQuirksTest, ArgumentsAsObjectNullOrMissing) {
  auto calls = CallsOf(
      {R"({"tool_calls":[{"index":0,"id":"x","function":{"name":"a","arguments":{"k":[1,null]}}},)"
       R"({"index":1,"id":"y","function":{"name":"b","arguments":null}},)"
       R"({"index":2,"id":null,"function":{"name":"c"}}]})"});
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].arguments, R"({"k":[1,null]})");
  EXPECT_EQ(calls[1].arguments, "{}");
  EXPECT_EQ(calls[2].arguments, "{}");
}

TEST(OpenAiQuirksTest, SameIdTwiceAndOldFunctionCall) {
  EXPECT_EQ(CallsOf({R"({"tool_calls":[{"index":0,"id":"x","function":{"name":"a"}},)"
                     R"({"index":1,"id":"x","function":{"name":"b"}}]})"})
                .size(),
            2u);
  auto calls = CallsOf({R"({"function_call":{"name":"a","arguments":"{"}})",
                        R"({"function_call":{"arguments":"}"}})"});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].arguments, "{}");
}

TEST(OpenAiQuirksTest, MalformedArgumentsAreKept) {
  auto calls =
      CallsOf({R"({"tool_calls":[{"index":0,"function":{"name":"a","arguments":"{oops"}}]})"});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].arguments, "{oops");
}

TEST(OpenAiQuirksTest, GeminiSignaturesTravel) {
  auto calls = CallsOf({R"({"tool_calls":[{"index":0,"id":"x","function":{"name":"a"},)"
                        R"("extra_content":{"google":{"thought_signature":"sig"}}}]})"});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].signature, "sig");
}

TEST(OpenAiQuirksTest, ContentAsArrayAndReasoningField) {
  ModelRig rig(Wire::kOpenAi);
  auto answer = rig.Stream(
      Events(
          {Chunk(R"({"reasoning":"r1"})"),
           Chunk(R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"r2"}]}]})"),
           Chunk(R"({"content":[{"type":"text","text":"a"},"b",{"type":"other"}]})",
                 "\"content_filter\"")}),
      Splitting::kOnePiece);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(TextOf(answer->message), "ab");
  EXPECT_EQ(rig.sink.reasoning, "r1r2");
  EXPECT_EQ(std::get<ReasoningPart>(answer->message.parts[0]).signature, "");
  EXPECT_EQ(answer->finish_reason, FinishReason::kContentFilter);
}

TEST(OpenAiQuirksTest, UsageInOtherPlaces) {
  ModelRig rig(Wire::kOpenAi);
  auto groq =
      rig.Stream(Events({Chunk(R"({"content":"a"})", "\"stop\""),
                         R"({"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4}}})"}),
                 Splitting::kOnePiece);
  EXPECT_EQ(groq->usage, (Usage{.input_tokens = 3, .output_tokens = 4}));
  auto deepseek =
      rig.Answer(R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{)"
                 R"("prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8}})");
  EXPECT_EQ(deepseek->usage.cached_input_tokens, 8);
  auto xai = rig.Answer(
      R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,)"
      R"("completion_tokens":1,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":5}}})");
  EXPECT_EQ(xai->usage.output_tokens, 6);
  auto odd = rig.Answer(
      R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":-5,)"
      R"("completion_tokens":1e300,"total_tokens":"x","prompt_tokens_details":[]}})");
  ASSERT_TRUE(odd.ok());
  EXPECT_FALSE(odd->usage_reported);
}

TEST(OpenAiQuirksTest, WholeAnswerWithoutFinishReason) {
  ModelRig rig(Wire::kOpenAi);
  auto answer = rig.Answer(R"({"choices":[{"message":{"content":"a"}}]})");
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_EQ(TextOf(answer->message), "a");
  EXPECT_EQ(answer->model, "some-model");
}

TEST(OpenAiQuirksTest, DoneWithoutFinishReasonAndFinishReasonWithoutDone) {
  ModelRig rig(Wire::kOpenAi);
  EXPECT_TRUE(
      rig.Stream(Events({Chunk(R"({"content":"a"})"), "[DONE]"}), Splitting::kOnePiece).ok());
  EXPECT_TRUE(
      rig.Stream(Events({Chunk(R"({"content":"a"})", "\"stop\"")}), Splitting::kOnePiece).ok());
}

TEST(OpenAiQuirksTest, HalvesOfSurrogatePairsAndRawBytesBecomeReplacements) {
  ModelRig rig(Wire::kOpenAi);
  auto answer =
      rig.Stream(Events({Chunk(R"({"content":"a\ud83d"})"), Chunk(R"({"content":"\ude42b"})"),
                         Chunk("{\"content\":\"\xf0\x9f\"}", "\"stop\"")}),
                 Splitting::kOnePiece);
  ASSERT_TRUE(answer.ok()) << StatusText(answer.status());
  EXPECT_THAT(TextOf(answer->message), testing::StartsWith("a\uFFFD\uFFFDb\uFFFD"));
}

TEST(OpenAiQuirksTest, ServerEndsTheAnswerWithAnError) {
  ModelRig rig(Wire::kOpenAi);
  rig.options.max_attempts = 1;
  auto busy =
      rig.Stream(Events({Chunk("{}", "\"insufficient_system_resource\"")}), Splitting::kOnePiece);
  EXPECT_EQ(ReasonOf(busy.status()), ErrorReason::kOverloaded);
  auto error = rig.Stream(Events({Chunk(R"({"content":"a"})", "\"error\"")}), Splitting::kOnePiece);
  EXPECT_EQ(ReasonOf(error.status()), ErrorReason::kTransport);
}

}  // namespace
}  // namespace talon::model
