// SPDX-License-Identifier: Apache-2.0
#include "model/codec.h"

#include <gtest/gtest.h>

namespace talon::model {
namespace {

TEST(CodecTest, MessagesComeBackUnchanged) {
  for (Role role : {Role::kSystem, Role::kUser, Role::kAssistant, Role::kTool}) {
    Message message;
    message.role = role;
    message.parts = {TextPart{"a\"\n\x01ü🙂"},
                     TextPart{},
                     ImagePart{"image/png", "aGk=", ""},
                     ImagePart{"", "", "https://x.test/?a=b"},
                     ReasoningPart{"t", "s", "r", "p"},
                     ReasoningPart{},
                     ToolCall{"id", "name", "{not json", "sig"},
                     ToolCall{},
                     ToolResult{"id", "name", "content", true},
                     ToolResult{}};
    auto decoded = DecodeMessage(EncodeMessage(message));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, message);
  }
}

TEST(CodecTest, EncodesCompactly) {
  EXPECT_EQ(EncodeMessage(TextMessage(Role::kUser, "Hi", Integrity::kUser)),
            R"({"role":"user","parts":[{"type":"text","text":"Hi"}]})");
}

TEST(CodecTest, RefusesWhatIsNoMessage) {
  for (const char* odd : {"", "[]", "{}", R"({"role":"user"})", R"({"role":"boss","parts":[]})",
                          R"({"role":"user","parts":{}})", R"({"role":"user","parts":[5]})",
                          R"({"role":"user","parts":[{"type":"video"}]})"}) {
    EXPECT_FALSE(DecodeMessage(odd).ok()) << odd;
  }
}

TEST(CodecTest, UsageComesBackUnchanged) {
  Usage usage{1, 2, 3, 4, 5};
  EXPECT_EQ(*DecodeUsage(EncodeUsage(usage)), usage);
  EXPECT_FALSE(DecodeUsage("7").ok());
  EXPECT_EQ(usage + usage, (Usage{2, 4, 6, 8, 10}));
}

TEST(TypesTest, TextAndCalls) {
  Message message;
  message.parts = {TextPart{"a"}, ToolCall{"1", "x", "{}", ""}, TextPart{"b"},
                   ToolCall{"2", "y", "{}", ""}};
  EXPECT_EQ(TextOf(message), "ab");
  EXPECT_EQ(ToolCallsOf(message).size(), 2u);
  EXPECT_EQ(ToolCallsOf(message)[1].name, "y");
}

}  // namespace
}  // namespace talon::model
