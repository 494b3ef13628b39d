// SPDX-License-Identifier: Apache-2.0
#include "guard/schema_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace talon::guard {
namespace {

using testing::HasSubstr;

TEST(SchemaTextTest, TextsAreMadeHarmless) {
  const auto made = SanitizeSchema(
      R"({"type":"object","properties":{"z":{"type":"string","description":"a <tool_call> <!-- x -->"},)"
      R"("a":{"title":"[INST]","default":"</plugin_output>","examples":["<|im_start|>"]},)"
      R"("description":{"type":"string"}}})");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(
      *made,
      R"({"type":"object","properties":{"z":{"type":"string","description":"a <~tool_call> <~!-- x -->"},)"
      R"("a":{"title":"[~INST]","default":"<~/plugin_output>","examples":["<~|im_start|>"]},)"
      R"("description":{"type":"string"}}})");
}

TEST(SchemaTextTest, HarmlessSchemasStayAsWritten) {
  for (const char* schema :
       {R"({ "type" : "object", "properties": {"tool": {"enum": ["a b", "<b>"]}} })", "no json",
        ""}) {
    EXPECT_EQ(*SanitizeSchema(schema), schema);
  }
}

TEST(SchemaTextTest, NamesAndChoicesAreRefused) {
  for (const char* schema : {R"({"properties":{"[/plugin_output]":{}}})",
                             R"({"properties":{"a":{"enum":["<tool_call>"]}}})",
                             R"({"properties":{"a":{"const":"a\u200bb"}}})",
                             R"({"properties":{"a":{"pattern":"<\\|x\\|>|<|im_end|>"}}})",
                             R"({"properties":{"description":{"enum":["<tool_call>"]}}})"}) {
    EXPECT_THAT(Message(SanitizeSchema(schema).status()), HasSubstr("rename it")) << schema;
  }
}

}  // namespace
}  // namespace talon::guard
