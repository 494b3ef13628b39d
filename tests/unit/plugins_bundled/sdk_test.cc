// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "talon/sdk/plugin.h"
#include "talon/sdk/testing.h"
#include "talon/sdk/text.h"

namespace talon::sdk {
namespace {

using testing::HasSubstr;

class Sample : public Plugin {
 public:
  explicit Sample(std::vector<Tool> more = {})
      : Plugin({.name = "sample",
                .version = "1.2.3",
                .description = "A sample.",
                .config = Object().Optional("greeting", String()),
                .needs = {.network = Network::kOutbound,
                          .workspace = Access::kRead,
                          .read_paths = {"/srv/data"},
                          .processes = 7}}) {
    AddTool({.name = "say",
             .description = "Says it.",
             .schema = Object()
                           .Required("text", String("what \"to\" say"))
                           .Optional("times", Integer().Min(1).Max(3))
                           .Optional("how", String().OneOf({"loud", "low"}))
                           .Optional("tags", ArrayOf(String())),
             .effect = Effect::kRead,
             .read_only = true,
             .sink_arguments = {"text"},
             .timeout = std::chrono::milliseconds(1500),
             .handler = [this](const Args& args, const CallInfo&) {
               return Result::Text(greeting_ + args.String("text"));
             }});
    AddTool({.name = "throw",
             .description = "Throws.",
             .handler = [](const Args&, const CallInfo&) -> Result {
               throw std::runtime_error("it broke");
             }});
    AddTool({.name = "bytes",
             .description = "Answers bytes that are no text.",
             .handler = [](const Args&, const CallInfo&) { return Result::Text("a\xFFz"); }});
    for (Tool& tool : more) AddTool(std::move(tool));
  }
  absl::Status Configure(const Args& config, const Folders& folders) override {
    greeting_ = config.String("greeting");
    if (folders.credentials.contains("KEY")) greeting_ += folders.credentials.at("KEY");
    return absl::OkStatus();
  }

 private:
  std::string greeting_;
};

TEST(SdkTest, CredentialsArriveWithTheConfiguration) {
  PluginHarness harness(std::make_unique<Sample>());
  ASSERT_TRUE(harness.Configure("{}", {.credentials = {{"KEY", "k-1 "}}}).ok());
  EXPECT_EQ(harness.Execute("say", R"({"text":"x"})")->content, "k-1 x");
}

TEST(SdkTest, ManifestTellsWhatWasDeclared) {
  const auto json = nlohmann::json::parse(PluginHarness(std::make_unique<Sample>()).ManifestJson());
  EXPECT_EQ(json["protocol"], 1);
  EXPECT_EQ(json["name"], "sample");
  EXPECT_EQ(json["needs"], (nlohmann::json{{"network", "NETWORK_OUTBOUND"},
                                           {"workspace", "ACCESS_READ"},
                                           {"read_paths", {"/srv/data"}},
                                           {"processes", 7}}));
  const auto& tool = json["tools"][0];
  EXPECT_EQ(tool["name"], "say");
  EXPECT_EQ(tool["effect"], "EFFECT_CLASS_READ");
  EXPECT_EQ(tool["read_only"], true);
  EXPECT_EQ(tool["timeout_ms"], 1500);
  EXPECT_EQ(tool["sink_arguments"][0], "text");
  const auto schema = nlohmann::json::parse(tool["schema_json"].get<std::string>());
  EXPECT_EQ(schema["required"], nlohmann::json::array({"text"}));
  EXPECT_EQ(schema["properties"]["text"]["description"], "what \"to\" say");
  EXPECT_EQ(schema["properties"]["times"]["maximum"], 3);
  EXPECT_EQ(schema["properties"]["how"]["enum"][1], "low");
  EXPECT_EQ(schema["properties"]["tags"]["items"]["type"], "string");
}

TEST(SdkTest, ArgumentsAreCheckedBeforeTheHandler) {
  PluginHarness harness(std::make_unique<Sample>());
  ASSERT_TRUE(harness.Configure(R"({"greeting":"hi "})").ok());
  EXPECT_EQ(harness.Execute("say", R"({"text":"you"})")->content, "hi you");
  EXPECT_EQ(harness.Execute("say", R"({"txt":"you"})")->error,
            "argument 'txt' is not known; known are: text, times, how, tags");
  EXPECT_EQ(harness.Execute("say", "{}")->error, "argument 'text' is missing");
  EXPECT_EQ(harness.Execute("say", R"({"text":1})")->error,
            "argument 'text' must be of type string, not number");
  EXPECT_THAT(harness.Execute("say", "{\"text\":")->error, HasSubstr("not valid JSON at byte"));
  EXPECT_THAT(harness.Execute("say", "[]")->error, HasSubstr("expected a JSON object"));
  EXPECT_THAT(harness.Execute("say", std::string(100'000, '['))->error, HasSubstr("nested deeper"));
}

TEST(SdkTest, ConfigurationComesOnceAndFirst) {
  PluginHarness harness(std::make_unique<Sample>());
  EXPECT_EQ(harness.Execute("say", R"({"text":"x"})").status().code(),
            absl::StatusCode::kFailedPrecondition);
  const absl::Status unknown = harness.Configure(R"({"greting":"x"})");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(unknown.message()), "option 'greting' is not known; known are: greeting");
  EXPECT_TRUE(harness.Configure("{}").ok());
  EXPECT_EQ(harness.Configure("{}").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(harness.Execute("nope", "{}").status().code(), absl::StatusCode::kNotFound);
}

TEST(SdkTest, ExceptionsAndBadBytesStayInside) {
  PluginHarness harness(std::make_unique<Sample>());
  ASSERT_TRUE(harness.Configure("{}").ok());
  EXPECT_EQ(harness.Execute("throw", "{}")->error, "throw: it broke");
  EXPECT_EQ(harness.Execute("bytes", "{}")->content, "a\xEF\xBF\xBDz");
}

TEST(SdkTest, DefectsOfDeclarationsAreNamed) {
  const auto handler = [](const Args&, const CallInfo&) { return Result(); };
  const auto check = [](Tool tool) {
    return std::string(PluginHarness(std::make_unique<Sample>(std::vector{std::move(tool)}))
                           .Configure("{}")
                           .message());
  };
  EXPECT_THAT(check({.name = "a b", .description = "d", .handler = handler}),
              HasSubstr("name must"));
  EXPECT_THAT(check({.name = "say", .description = "d", .handler = handler}), HasSubstr("twice"));
  EXPECT_THAT(check({.name = "x", .description = "d"}), HasSubstr("no handler"));
  EXPECT_THAT(check({.name = "x", .handler = handler}), HasSubstr("no description"));
  EXPECT_THAT(
      check({.name = "x", .description = "d", .sink_arguments = {"to"}, .handler = handler}),
      HasSubstr("sink 'to'"));
  EXPECT_THAT(check({.name = "x",
                     .description = "d",
                     .effect = Effect::kWrite,
                     .read_only = true,
                     .handler = handler}),
              HasSubstr("read_only"));
}

TEST(SdkTest, CancellationAndDeadlineAreVisible) {
  const auto flag = std::make_shared<CancelFlag>();
  const CallInfo call(flag, CallInfo::Clock::time_point::max());
  EXPECT_FALSE(call.cancelled());
  EXPECT_EQ(call.TimeLeft(std::chrono::milliseconds(70)).count(), 70);
  pollfd fd = {call.cancel_fd(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 0), 0);
  flag->Set();
  EXPECT_TRUE(call.cancelled());
  EXPECT_EQ(poll(&fd, 1, 0), 1);

  const CallInfo late(std::make_shared<CancelFlag>(), CallInfo::Clock::now());
  EXPECT_TRUE(late.cancelled());
  EXPECT_EQ(late.TimeLeft(std::chrono::milliseconds(70)).count(), 0);
}

TEST(SdkTest, Utf8IsRepairedAndCutAtCharacters) {
  EXPECT_EQ(RepairUtf8("grün"), "grün");
  EXPECT_EQ(RepairUtf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");      // overlong
  EXPECT_EQ(RepairUtf8("\xED\xA0\x80x").substr(9), "x");              // surrogate
  EXPECT_EQ(RepairUtf8("\xF4\x90\x80\x80").size(), 12u);              // above U+10FFFF
  EXPECT_EQ(RepairUtf8("ab\xE2\x82"), "ab\xEF\xBF\xBD\xEF\xBF\xBD");  // cut off
  EXPECT_EQ(TruncateUtf8("grün", 3), "gr");
  EXPECT_EQ(TruncateUtf8("grün", 4), "grü");
  EXPECT_EQ(TruncateUtf8("€€", 5), "€");
  EXPECT_EQ(TruncateUtf8("abc", 3), "abc");
}

}  // namespace
}  // namespace talon::sdk
