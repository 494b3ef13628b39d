// SPDX-License-Identifier: Apache-2.0
// Plugins of OpenTalon's contract on grpc-go and on Python's grpcio, in the host.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/interop/host_rig.h"

namespace talon::plugin {
namespace {

using nlohmann::json;

class OpenTalonGoTest : public HostRig {
 protected:
  void SetUp() override {
    if (!MissingGo().empty()) GTEST_SKIP() << MissingGo();
    entry_.plugin = TALON_GO_PEERS "/opentalon_plugin";
  }
};

TEST_F(OpenTalonGoTest, ItsActionsAreTools) {
  entry_.config.text = R"({"key":"value"})";
  Load();
  // The name is the configuration's; what it calls itself is only told back to it.
  const tool::Entry* echo = catalogue_.Find("t__echo");
  ASSERT_NE(echo, nullptr) << LastError();
  const tool::ToolSpec& spec = echo->tool->spec();
  EXPECT_TRUE(spec.read_only);
  EXPECT_EQ(spec.effect, tool::EffectClass::kRead);
  EXPECT_EQ(catalogue_.Find("t__fail")->tool->spec().effect, tool::EffectClass::kExec);
  EXPECT_TRUE(catalogue_.Find("t__get_config")->tool->spec().user_only);
  EXPECT_EQ(json::parse(spec.schema)["required"], json({"text"}));

  const auto output = Call("echo", R"({"text":"naïve","count":3,"list":["a","b"]})");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->call_id, "call_1");
  ASSERT_TRUE(output->content.starts_with("talon {")) << output->content;
  const json expected = {
      {"text", "naïve"}, {"count", "3"}, {"list", R"(["a","b"])"}, {"session_id", "ses_1"}};
  EXPECT_EQ(json::parse(output->content.substr(6)), expected);
  EXPECT_EQ(json::parse(output->structured), expected);
  EXPECT_EQ(Content("get_config"), R"({"key":"value"})");
  EXPECT_EQ(Call("fail")->error, "as told");
  EXPECT_EQ(Call("lie")->call_id, "another");  // as it came: the guard refuses it
  EXPECT_EQ(Content("large").size(), 8U << 20);
}

TEST_F(OpenTalonGoTest, CallbacksAreRefused) {
  entry_.args = {"--callbacks"};
  Load();
  const auto output = Call("echo", R"({"text":"x"})");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->call_id, "call_1");
  for (const std::string id : {"a", "b"}) {
    EXPECT_NE(output->content.find(id + ": refused by policy"), std::string::npos)
        << output->content;
  }
}

TEST_F(OpenTalonGoTest, TheProtocolMayBeDemanded) {
  entry_.protocol = Protocol::kTalon;
  Load();
  EXPECT_NE(LastError().find("protocol: opentalon"), std::string::npos) << LastError();
  StopHost();
  entry_.protocol = Protocol::kOpenTalon;
  Load();
  EXPECT_TRUE(Call("echo", R"({"text":"x"})").ok());
}

class OpenTalonPythonTest : public HostRig {
 protected:
  void SetUp() override {
    if (!MissingPython().empty()) GTEST_SKIP() << MissingPython();
    entry_.plugin = "/usr/bin/python3";
    entry_.args = {TALON_PYTHON_PEERS "/opentalon_plugin.py"};
    AddPythonStubs(entry_.env);
  }
};

TEST_F(OpenTalonPythonTest, RunsAndStopsByInterrupt) {
  entry_.config.text = R"({"key":"value"})";
  Load();
  EXPECT_EQ(json::parse(Content("echo", R"({"text":"x"})")),
            json({{"args", {{"text", "x"}}}, {"config", {{"key", "value"}}}}));
  StopHost();
  EXPECT_TRUE(std::filesystem::exists(paths_.data + "/t/stopped-by-sigint"));
}

TEST_F(OpenTalonPythonTest, OlderOnesWithoutInit) {
  entry_.args.push_back("--no-init");
  Load();
  EXPECT_TRUE(Call("echo", R"({"text":"x"})").ok());
}

TEST_F(OpenTalonPythonTest, ARefusedConfigurationIsSaid) {
  entry_.config.text = R"({"refuse":true})";
  Load();
  EXPECT_NE(LastError().find("this configuration is refused"), std::string::npos) << LastError();
}

TEST_F(OpenTalonPythonTest, TheSdkBeforeGrpcIsNamed) {
  entry_.args.push_back("--old");
  entry_.start_timeout = std::chrono::seconds(3);
  Load();
  EXPECT_NE(LastError().find("v0.0.2"), std::string::npos) << LastError();
  EXPECT_NE(LastError().find("HTTP/2"), std::string::npos) << LastError();
}

}  // namespace
}  // namespace talon::plugin
