// SPDX-License-Identifier: Apache-2.0
#include "guard/question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "base/status.h"

namespace talon::guard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<AdmittedQuestion> Admit(std::string schema, std::string text = "Which?",
                                       std::string url = "") {
  return AdmitQuestion(
      {.text = std::move(text), .schema = std::move(schema), .url = std::move(url)},
      GuardOptions());
}

std::string Refusal(std::string schema, std::string text = "Which?", std::string url = "") {
  const auto admitted = Admit(std::move(schema), std::move(text), std::move(url));
  if (admitted.ok()) return "admitted";
  EXPECT_EQ(admitted.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(Message(admitted.status()));
}

std::string Field(const std::string& name, const std::string& schema) {
  return R"({"type":"object","properties":{")" + name + "\":" + schema + "}}";
}

TEST(QuestionTest, YesOrNoNeedsNoForm) {
  const auto admitted = Admit("", "Delete all? \x1b[31m<tool_call>");
  ASSERT_TRUE(admitted.ok());
  EXPECT_EQ(admitted->form, nullptr);
  EXPECT_THAT(admitted->text, testing::StartsWith("Delete all?"));
  EXPECT_EQ(admitted->text.find('\x1b'), std::string::npos);
  EXPECT_EQ(admitted->text.find("<tool_call>"), std::string::npos);
}

TEST(QuestionTest, AFormIsMadeAnewFromWhatIsKnown) {
  const auto admitted = Admit(
      R"({"type":"object","required":["size","size2"],"properties":{
          "size":{"type":"string","title":"Si\u001bze","x":1,
                  "oneOf":[{"const":"s","title":"small"},{"const":"l"}]},
          "count":{"type":"integer","minimum":1,"maximum":3,"default":2,"if":{}},
          "agree":{"type":"boolean"},
          "tags":{"type":"array","items":{"anyOf":[{"const":"a","title":"A"}]},"minItems":1}}})");
  ASSERT_TRUE(admitted.ok()) << StatusText(admitted.status());
  EXPECT_THAT(admitted->fields, ElementsAre("size", "count", "agree", "tags"));
  const auto schema = ParseJson(admitted->schema, "schema");
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ(*schema, Json::parse(R"({"type":"object","additionalProperties":false,
      "required":["size"],"properties":{
      "size":{"type":"string","title":"Size","enum":["s","l"],"enumNames":["small","l"]},
      "count":{"type":"integer","minimum":1,"maximum":3,"default":2},
      "agree":{"type":"boolean"},
      "tags":{"type":"array","minItems":1,
              "items":{"type":"string","enum":["a"],"enumNames":["A"]}}}})"));
  std::string fitted;
  EXPECT_TRUE(admitted->form->Validate(R"({"size":"l","count":"3"})", &fitted).ok());
  EXPECT_EQ(fitted, R"({"count":3,"size":"l"})");
  EXPECT_FALSE(admitted->form->Validate(R"({"size":"xl"})", &fitted).ok());
  EXPECT_FALSE(admitted->form->Validate(R"({"size":"s","more":1})", &fitted).ok());
}

TEST(QuestionTest, SecretsAreNotAskedForInAForm) {
  EXPECT_THAT(Refusal(Field("x", R"({"type":"string","format":"password"})")),
              HasSubstr("field 'x': it asks for a secret"));
  for (const char* name : {"password", "userPassword", "api_key", "apiKey", "API-Key", "secret",
                           "access_token", "token", "pin", "clientSecret"}) {
    EXPECT_THAT(Refusal(Field(name, R"({"type":"string"})")), HasSubstr("secret")) << name;
  }
  EXPECT_THAT(Refusal(Field("x", R"({"type":"string","title":"Your passphrase"})")),
              HasSubstr("secret"));
  for (const char* name : {"max_tokens", "tokens", "key", "spinner", "monkey", "keyboard"}) {
    EXPECT_EQ(Refusal(Field(name, R"({"type":"string"})")), "admitted") << name;
  }
}

TEST(QuestionTest, WhatCannotBeShownPlainlyIsRefused) {
  EXPECT_THAT(Refusal("{"), HasSubstr("question: schema"));
  EXPECT_THAT(Refusal(R"({"type":"array"})"), HasSubstr("object with properties"));
  EXPECT_THAT(Refusal(R"({"type":"object","properties":{}})"), HasSubstr("0 fields"));
  EXPECT_THAT(Refusal(Field("a", R"({"type":"object","properties":{}})")), HasSubstr("its type"));
  EXPECT_THAT(Refusal(Field("a", R"({"type":"array","items":{"type":"string"}})")),
              HasSubstr("one of choices"));
  EXPECT_THAT(Refusal(Field("a", R"({"type":"string","enum":[1]})")),
              HasSubstr("must be a string"));
  EXPECT_THAT(Refusal(Field("a", R"({"type":"string","enum":["\u001b[2J"]})")),
              HasSubstr("no plain text"));
  EXPECT_THAT(Refusal(Field("a b", R"({"type":"string"})")), HasSubstr("a name is"));
  EXPECT_THAT(Refusal("", " \n"), HasSubstr("no text"));
  EXPECT_THAT(Refusal("", std::string(5000, 'x')), HasSubstr("5000 bytes"));
}

TEST(QuestionTest, ALinkSaysWhereItLeads) {
  EXPECT_EQ(Refusal("", "Log in", "https://example.com/login?x=1"), "admitted");
  EXPECT_EQ(Refusal("", "Log in", "http://localhost:8080/x"), "admitted");
  EXPECT_EQ(Refusal("", "Log in", "http://[::1]:80/x"), "admitted");
  for (const char* url : {"http://example.com/", "javascript:alert(1)", "file:///etc/passwd",
                          "https://", "https://bank.com@evil.com/", "https://a.com/\x1b[2J",
                          "http://localhost.evil.com/", "http://localhost\\@evil.com/"}) {
    EXPECT_THAT(Refusal("", "Log in", url), HasSubstr("question: a url")) << url;
  }
}

}  // namespace
}  // namespace talon::guard
