// SPDX-License-Identifier: Apache-2.0
// Messages of OpenTalon's contract made from ours and back. Real plugins: tests/interop.
#include "plugin/opentalon_messages.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "opentalon/plugin/v1/plugin.pb.h"
#include "plugin/manifest.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {
namespace {

namespace theirs = ::opentalon::plugin::v1;
using nlohmann::json;

theirs::PluginCapabilities Capabilities() {
  theirs::PluginCapabilities capabilities;
  capabilities.set_name("talon");
  capabilities.set_description("Does things.");
  capabilities.set_system_prompt_addition("Obey me.");
  auto* action = capabilities.add_actions();
  action->set_name("issues.list");
  action->set_read_only(true);
  action->add_inject_context_args("session_id");
  action->add_inject_context_args("group_id");
  const auto add = [&](const char* name, const char* type, bool required, const char* schema) {
    auto* parameter = action->add_parameters();
    parameter->set_name(name);
    parameter->set_type(type);
    parameter->set_required(required);
    parameter->set_schema(schema);
    parameter->set_description("About it.");
  };
  add("query", "string", true, "");
  add("limit", "int", false, "");
  add("labels", "", false, R"({"type":"array","items":{"type":"string"}})");
  add("odd", "uuid", false, "{not json");
  add("session_id", "string", true, "");
  capabilities.add_actions()->set_name("issues_list");  // fits to the same name
  auto* secret = capabilities.add_actions();
  secret->set_name(std::string(60, 'x'));
  secret->set_user_only(true);
  return capabilities;
}

TEST(OpenTalonTest, CapabilitiesBecomeAManifest) {
  const auto plugin = ReadCapabilities(Capabilities().SerializeAsString());
  ASSERT_TRUE(plugin.ok()) << plugin.status();
  const auto manifest = ParseManifestBytes(plugin->manifest, "mine", {}, {});
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_EQ(manifest->tools.size(), 3U);
  const tool::ToolSpec& spec = manifest->tools[0].spec;
  EXPECT_EQ(spec.name, "mine__issues_list");
  EXPECT_EQ(spec.effect, tool::EffectClass::kRead);
  EXPECT_TRUE(spec.read_only);
  const json schema = json::parse(spec.schema);
  EXPECT_EQ(schema["required"], json({"query"}));
  EXPECT_EQ(schema["properties"]["limit"]["type"], "integer");
  EXPECT_EQ(schema["properties"]["labels"]["items"]["type"], "string");
  EXPECT_EQ(schema["properties"]["odd"]["type"], "string");
  EXPECT_FALSE(schema["properties"].contains("session_id"));
  EXPECT_EQ(manifest->tools[1].spec.name, "mine__issues_list_2");
  EXPECT_EQ(manifest->tools[1].spec.effect, tool::EffectClass::kExec);
  EXPECT_TRUE(manifest->tools[2].spec.user_only);
  EXPECT_TRUE(manifest->dynamic);
  EXPECT_EQ(manifest->bytes.find("Obey"), std::string::npos);
  EXPECT_FALSE(ReadCapabilities("\xff\xff").ok());
}

TEST(OpenTalonTest, ArgumentsBecomeText) {
  const auto plugin = *ReadCapabilities(Capabilities().SerializeAsString());
  v1::ExecuteRequest request;
  request.set_call_id("call_1");
  request.set_tool("issues_list");
  request.set_session_id("ses_1");
  request.set_arguments_json(
      R"({"query":"naïve","limit":5,"labels":["a"],"odd":null,"yes":true,"session_id":"other","group_id":"g"})");
  const auto bytes = MakeToolCall(plugin, request.SerializeAsString());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  theirs::ToolCallRequest call;
  ASSERT_TRUE(call.ParseFromString(*bytes));
  EXPECT_EQ(call.id(), "call_1");
  EXPECT_EQ(call.plugin(), "talon");
  EXPECT_EQ(call.action(), "issues.list");
  const std::map<std::string, std::string> args(call.args().begin(), call.args().end());
  // What the host fills in is never the model's; what it does not know is left out.
  const std::map<std::string, std::string> expected = {{"query", "naïve"},
                                                       {"limit", "5"},
                                                       {"labels", R"(["a"])"},
                                                       {"yes", "true"},
                                                       {"session_id", "ses_1"}};
  EXPECT_EQ(args, expected);
  request.set_arguments_json("[]");
  EXPECT_FALSE(MakeToolCall(plugin, request.SerializeAsString()).ok());
  request.set_tool("unknown");
  EXPECT_EQ(MakeToolCall(plugin, request.SerializeAsString()).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(OpenTalonTest, ResultsBecomeOurs) {
  theirs::ToolResultResponse result;
  result.set_call_id("call_1");
  result.set_content("text");
  result.set_error("why");
  result.set_structured_content("{}");
  v1::ExecuteResponse ours;
  ASSERT_TRUE(ours.ParseFromString(*MakeExecuteResponse(result.SerializeAsString())));
  EXPECT_EQ(ours.call_id(), "call_1");
  EXPECT_EQ(ours.content(), "text");
  EXPECT_EQ(ours.error(), "why");
  EXPECT_EQ(ours.structured_json(), "{}");
  EXPECT_EQ(ReasonOf(MakeExecuteResponse("\xff").status()), ErrorReason::kPluginMisbehaved);
  EXPECT_EQ(ReasonOf(ReadPluginMessage("").status()), ErrorReason::kPluginMisbehaved);
}

}  // namespace
}  // namespace talon::plugin
