// SPDX-License-Identifier: Apache-2.0
// Whatever a provider sends, an answer or an error comes of it.
#include <random>

#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

const char* const kSeeds[] = {
    R"({"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a","reasoning_content":"r","tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"n","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}})",
    R"({"type":"message_start","message":{"id":"m","model":"c","content":[{"type":"tool_use","id":"t","name":"n","input":{}}],"usage":{"input_tokens":1,"output_tokens":1}}})",
    R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}})",
    R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"x"}})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"x"}})",
    R"({"type":"content_block_stop","index":0})",
    R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}})",
    R"({"candidates":[{"content":{"parts":[{"text":"a","thought":true,"thoughtSignature":"s"},{"functionCall":{"name":"n","args":{"a":1}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1},"promptFeedback":{}})",
    R"({"error":{"message":"m","type":"t","code":429,"status":"S","details":[{"retryDelay":"3s","violations":[{"quotaId":"q"}]}],"metadata":{"raw":"x"}}})",
};

const char* const kOddValues[] = {"null",
                                  "[]",
                                  "{}",
                                  "\"\"",
                                  "-1",
                                  "1e308",
                                  "9223372036854775807",
                                  "18446744073709551615",
                                  "true",
                                  "[[]]",
                                  "[null]",
                                  "[{}]",
                                  "\"\\u0000\"",
                                  "{\"a\":{}}",
                                  "2147483648"};

// Replaces one value somewhere in `document`.
void Disturb(Json& document, std::minstd_rand& random) {
  Json flat = document.flatten();
  if (flat.empty()) return;
  std::vector<std::string> paths;
  for (const auto& [path, value] : flat.items()) paths.push_back(path);
  std::string path = paths[random() % paths.size()];
  for (std::uint32_t up = random() % 3; up > 0; --up) {
    std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) break;
    path.resize(slash);
  }
  if (path.empty()) return;
  document[Json::json_pointer(path)] = Json::parse(kOddValues[random() % std::size(kOddValues)]);
}

TEST(RobustnessTest, DisturbedDocumentsOnEveryWire) {
  std::minstd_rand random(11);
  for (Wire wire : {Wire::kOpenAi, Wire::kAnthropic, Wire::kGoogle}) {
    ModelRig rig(wire);
    rig.options.max_attempts = 1;
    for (int round = 0; round < 700; ++round) {
      std::vector<std::string> documents;
      for (std::uint32_t n = random() % 6 + 1; n > 0; --n) {
        Json document = Json::parse(kSeeds[random() % std::size(kSeeds)]);
        for (std::uint32_t edits = random() % 4; edits > 0; --edits) Disturb(document, random);
        documents.push_back(document.dump());
      }
      if (random() % 2 == 0) documents.push_back("[DONE]");
      auto streamed = rig.Stream(Events(documents), Splitting::kOnePiece);
      if (!streamed.ok()) {
        EXPECT_NE(ReasonOf(streamed.status()), ErrorReason::kNone) << StatusText(streamed.status());
      }
      auto whole = rig.Answer(documents.front());
      if (!whole.ok()) EXPECT_NE(ReasonOf(whole.status()), ErrorReason::kNone);
    }
  }
}

TEST(RobustnessTest, DisturbedBytesOnEveryWire) {
  std::minstd_rand random(13);
  for (Wire wire : {Wire::kOpenAi, Wire::kAnthropic, Wire::kGoogle}) {
    ModelRig rig(wire);
    rig.options.max_attempts = 1;
    for (int round = 0; round < 500; ++round) {
      std::string body = Events({kSeeds[random() % std::size(kSeeds)]});
      for (std::uint32_t edits = random() % 5 + 1; edits > 0; --edits) {
        body[random() % body.size()] = static_cast<char>(random() % 256);
      }
      (void)rig.Stream(body, Splitting::kOnePiece);
      (void)rig.Answer(body.substr(6));
    }
  }
}

TEST(RobustnessTest, DeepNestingIsRefused) {
  for (Wire wire : {Wire::kOpenAi, Wire::kAnthropic, Wire::kGoogle}) {
    ModelRig rig(wire);
    rig.options.max_attempts = 1;
    std::string deep(100'000, '[');
    EXPECT_FALSE(rig.Answer(deep).ok());
    EXPECT_FALSE(rig.Answer(R"({"choices":)" + deep).ok());
    EXPECT_FALSE(rig.Stream("data: " + deep + "\n\n", Splitting::kOnePiece).ok());
  }
}

TEST(RobustnessTest, ThousandsOfCallsStopAtTheLimit) {
  ModelRig rig(Wire::kOpenAi);
  std::string calls;
  for (int i = 0; i < 5000; ++i) {
    calls += fmt::format(R"({}{{"index":{},"function":{{"name":"a"}}}})", i == 0 ? "" : ",", i);
  }
  auto answer = rig.Answer(R"({"choices":[{"message":{"tool_calls":[)" + calls + "]}}]}");
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace talon::model
