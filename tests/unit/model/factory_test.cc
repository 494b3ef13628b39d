// SPDX-License-Identifier: Apache-2.0
#include "model/factory.h"

#include "tests/unit/model/model_rig.h"

namespace talon::model {
namespace {

struct Made {
  io::Loop loop;
  fakes::FakeHttpClient http;
  Redactor redactor;
  ManualClock clock;
  absl::StatusOr<std::unique_ptr<ChatModel>> Make(const ProviderOptions& options) {
    return MakeChatModel("acme", options, {loop, http, redactor, clock});
  }
};

TEST(FactoryTest, UsesThePublicEndpointWithoutABaseUrl) {
  const std::pair<Wire, const char*> kEndpoints[] = {
      {Wire::kOpenAi, "https://api.openai.com/v1/chat/completions"},
      {Wire::kAnthropic, "https://api.anthropic.com/v1/messages"},
      {Wire::kGoogle,
       "https://generativelanguage.googleapis.com/v1beta/models/some-model:generateContent"}};
  for (const auto& [wire, url] : kEndpoints) {
    Made made;
    made.http.Push(fakes::Whole(400, "{}"));
    auto model = made.Make({.api = wire});
    ASSERT_TRUE(model.ok()) << model.status();
    (void)made.loop.RunUntilDone((*model)->Complete(ModelRig::Hello(), {}, nullptr));
    EXPECT_EQ(made.http.requests.at(0).url, url);
  }
}

TEST(FactoryTest, RegistersCredentials) {
  Made made;
  auto model = made.Make({.base_url = "http://localhost:1",
                          .api_key = Secret("key-123456"),
                          .headers = {{"Authorization", Secret("Bearer tok-123456")},
                                      {"X-Title", Secret("talon-app")}}});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(made.redactor.Redact("key-123456 tok-123456 talon-app"),
            "[redacted] [redacted] talon-app");
}

TEST(FactoryTest, RefusesOtherAddresses) {
  Made made;
  auto model = made.Make({.base_url = "localhost:11434"});
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(FactoryTest, MakesTheReflexModel) {
  Made made;
  EXPECT_TRUE(made.Make({.api = Wire::kReflex}).ok());
}

}  // namespace
}  // namespace talon::model
