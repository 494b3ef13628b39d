// SPDX-License-Identifier: Apache-2.0
#include "tool/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace talon::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<const Schema> Compiled(std::string_view text) {
  auto schema = Schema::Compile(text);
  EXPECT_TRUE(schema.ok()) << StatusText(schema.status());
  return schema.ok() ? *schema : nullptr;
}

// The canonical arguments, or the error text.
std::string Checked(std::string_view schema_text, std::string_view arguments) {
  const auto schema = Compiled(schema_text);
  if (schema == nullptr) return "";
  std::string coerced;
  const absl::Status status = schema->Validate(arguments, &coerced);
  if (status.ok()) return coerced;
  EXPECT_EQ(ReasonOf(status), ErrorReason::kInvalidArguments);
  return std::string(Message(status));
}

std::string CompileError(std::string_view text) {
  const auto schema = Schema::Compile(text);
  EXPECT_FALSE(schema.ok());
  return schema.ok() ? "" : std::string(Message(schema.status()));
}

constexpr char kRead[] = R"({"type":"object","properties":{
  "path":{"type":"string","minLength":1},
  "limit":{"type":"integer","minimum":1,"maximum":100},
  "ratio":{"type":"number"},
  "all":{"type":"boolean"},
  "tags":{"type":"array","items":{"type":"string"}},
  "ids":{"type":"array","items":{"type":"integer"}},
  "mode":{"type":"string","enum":["text","binary"]},
  "filter":{"type":"object","properties":{"since":{"type":"integer"}},
            "required":["since"],"additionalProperties":false},
  "note":{"anyOf":[{"type":"string"},{"type":"null"}]},
  "count":{"anyOf":[{"type":"integer"},{"type":"null"}],"default":null}},
  "required":["path"]})";

TEST(SchemaTest, CanonicalOutputHasSortedKeys) {
  EXPECT_EQ(Checked(kRead, R"( { "path" : "a", "limit":2, "all":true } )"),
            R"({"all":true,"limit":2,"path":"a"})");
}

TEST(SchemaTest, KnowsItsProperties) {
  EXPECT_THAT(Compiled(R"({"type":"object","properties":{"b":{},"a":{}}})")->property_names(),
              ElementsAre("a", "b"));
}

TEST(SchemaTest, AnEmptySchemaTakesNothing) {
  EXPECT_EQ(Checked("", ""), "{}");
  EXPECT_EQ(Checked("", "{}"), "{}");
  EXPECT_EQ(Checked("", "null"), "{}");
  EXPECT_EQ(Checked("", R"({"x":1})"), "argument 'x' is not known; none are allowed");
}

TEST(SchemaTest, UnknownArgumentsNameTheAllowedOnes) {
  constexpr char kTwo[] =
      R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}}})";
  EXPECT_EQ(Checked(kTwo, R"({"pth":"a"})"),
            "argument 'pth' is not known; allowed: limit, path; nearest: path");
  EXPECT_EQ(Checked(kTwo, R"({"elephant":"a"})"),
            "argument 'elephant' is not known; allowed: limit, path");
  EXPECT_EQ(
      Checked(R"({"type":"object","properties":{},"additionalProperties":true})", R"({"x":1})"),
      R"({"x":1})");
  EXPECT_EQ(Checked(R"({"type":"object","additionalProperties":{"type":"integer"}})", R"({"x":1})"),
            R"({"x":1})");
  EXPECT_THAT(
      Checked(R"({"type":"object","additionalProperties":{"type":"integer"}})", R"({"x":"y"})"),
      HasSubstr("argument 'x'"));
}

TEST(SchemaTest, MissingWrongAndOutOfRange) {
  EXPECT_EQ(Checked(kRead, "{}"), "argument 'path' is missing; required: path");
  EXPECT_EQ(Checked(kRead, R"({"path":["a"]})"), R"(argument 'path' must be string, is ["a"])");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","limit":"many"})"),
            R"(argument 'limit' must be integer, is "many")");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","mode":"octal"})"),
            R"(argument 'mode' must be one of "text", "binary"; is "octal")");
  EXPECT_THAT(Checked(kRead, R"({"path":"a","limit":101})"),
              HasSubstr("argument 'limit': expected number less than or equal to 100"));
  EXPECT_THAT(Checked(kRead, R"({"path":""})"), HasSubstr("argument 'path'"));
  EXPECT_EQ(Checked(kRead, R"({"path":"a","filter":{"since":1,"x":2}})"),
            "argument 'filter.x' is not known; allowed: since");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","filter":{}})"),
            "argument 'filter.since' is missing; required: since");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","ids":[1,"x"]})"),
            R"(argument 'ids[1]' must be integer, is "x")");
}

TEST(SchemaTest, PutsRightWhatLeavesNoDoubt) {
  EXPECT_EQ(Checked(kRead, R"({"path":"a","limit":"5"})"), R"({"limit":5,"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","limit":5.0})"), R"({"limit":5,"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","limit":5e1})"), R"({"limit":50,"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","ratio":"0.5"})"), R"({"path":"a","ratio":0.5})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","all":"True"})"), R"({"all":true,"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":7})"), R"({"path":"7"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","tags":"x"})"), R"({"path":"a","tags":["x"]})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","tags":"[\"x\",\"y\"]"})"),
            R"({"path":"a","tags":["x","y"]})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","ids":"3"})"), R"({"ids":[3],"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","filter":"{\"since\":\"4\"}"})"),
            R"({"filter":{"since":4},"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","limit":null})"), R"({"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","note":null})"), R"({"note":null,"path":"a"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"a","count":"6"})"), R"({"count":6,"path":"a"})");
}

TEST(SchemaTest, LeavesStringsAloneWhereStringsAreWanted) {
  EXPECT_EQ(Checked(kRead, R"({"path":"5"})"), R"({"path":"5"})");
  EXPECT_EQ(Checked(kRead, R"({"path":"{\"a\":1}"})"), R"({"path":"{\"a\":1}"})");
  constexpr char kEither[] =
      R"({"type":"object","properties":{"v":{"type":["string","integer"]}}})";
  EXPECT_EQ(Checked(kEither, R"({"v":"5"})"), R"({"v":"5"})");
  EXPECT_THAT(Checked(kRead, R"({"path":"a","limit":"5.5"})"), HasSubstr("must be integer"));
  EXPECT_THAT(Checked(kRead, R"({"path":"a","limit":1.5})"), HasSubstr("must be integer"));
}

TEST(SchemaTest, MalformedArgumentsAreToldWithTheirPosition) {
  EXPECT_THAT(Checked(kRead, R"({"path": )"), HasSubstr("arguments"));
  EXPECT_THAT(Checked(kRead, "[1]"), HasSubstr("the arguments must be object"));
  EXPECT_THAT(Checked(kRead, R"("x")"), HasSubstr("the arguments must be object"));
  EXPECT_EQ(Checked(kRead, R"("{\"path\":\"a\"}")"), R"({"path":"a"})");
}

TEST(SchemaTest, ReferencesWithinTheSchemaArePutInPlace) {
  constexpr char kReferring[] = R"({"$defs":{"n":{"type":"integer"}},"type":"object",
      "properties":{"a":{"$ref":"#/$defs/n","description":"x"},
                    "b":{"$ref":"#/$defs/n","minimum":3}}})";
  EXPECT_EQ(Checked(kReferring, R"({"a":"4"})"), R"({"a":4})");
  EXPECT_THAT(Checked(kReferring, R"({"b":1})"), HasSubstr("'b'"));
}

TEST(SchemaTest, RefusesWhatCouldRunAway) {
  EXPECT_THAT(CompileError(R"({"type":"object","properties":{"a":{"$ref":"http://x/y"}}})"),
              HasSubstr("refers to 'http://x/y'"));
  EXPECT_THAT(CompileError(R"({"type":"object","properties":{"a":{"$ref":"#"}}})"),
              HasSubstr("from within itself"));
  EXPECT_THAT(CompileError(R"({"type":"object","properties":{"a":{"$ref":"#/nowhere"}}})"),
              HasSubstr("does not have"));
  EXPECT_THAT(CompileError(R"({"type":"object","patternProperties":{"^(a+)+$":{}}})"),
              HasSubstr("patternProperties"));
  EXPECT_THAT(CompileError(R"({"type":"object","properties":{"a":{"multipleOf":0}}})"),
              HasSubstr("multipleOf"));
  EXPECT_THAT(CompileError(R"j({"type":"object","properties":{"a":{"pattern":"(?=x)"}}})j"),
              HasSubstr("pattern"));
  EXPECT_THAT(CompileError(R"({"type":"array"})"), HasSubstr("type object"));
  EXPECT_THAT(CompileError(R"(["x"])"), HasSubstr("no object"));
  EXPECT_THAT(CompileError(R"({"type":"object","properties":{"a":{"type":"strin"}}})"),
              HasSubstr("strin"));
  EXPECT_THAT(
      CompileError(R"({"type":"object","description":")" + std::string(70'000, 'x') + R"("})"),
      HasSubstr("bytes"));
  std::string deep = R"({"type":"object","properties":{"a":)";
  for (int i = 0; i < 40; ++i) deep += R"({"type":"array","items":)";
  deep += "{}";
  for (int i = 0; i < 40; ++i) deep += "}";
  EXPECT_THAT(CompileError(deep + "}}"), HasSubstr("32 levels"));
  std::string laughs = R"({"type":"object","$defs":{"d0":{"type":"string"})";
  for (int i = 1; i < 20; ++i) {
    laughs += fmt::format(
        R"(,"d{0}":{{"properties":{{"a":{{"$ref":"#/$defs/d{1}"}},"b":{{"$ref":"#/$defs/d{1}"}}}}}})",
        i, i - 1);
  }
  laughs += R"(},"properties":{"x":{"$ref":"#/$defs/d19"}}})";
  EXPECT_THAT(CompileError(laughs), testing::AnyOf(HasSubstr("parts"), HasSubstr("levels")));
}

TEST(SchemaTest, PatternsRunInTimeLinearInTheText) {
  const std::string schema =
      R"({"type":"object","properties":{"a":{"type":"string","pattern":"^(a+)+$"}}})";
  EXPECT_THAT(Checked(schema, R"({"a":")" + std::string(200'000, 'a') + R"(b"})"),
              HasSubstr("must match the pattern"));
  EXPECT_THAT(Checked(schema, R"({"a":"aaa"})"), R"({"a":"aaa"})");
  // Patterns count inside branches as well.
  EXPECT_THAT(Checked(R"({"type":"object","properties":{"a":{"anyOf":[
                          {"type":"string","pattern":"^x"},{"type":"integer"}]}}})",
                      R"({"a":"y"})"),
              HasSubstr("'a'"));
}

TEST(SchemaTest, DistinctItemsAreBounded) {
  constexpr char kSet[] =
      R"({"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}})";
  EXPECT_THAT(Checked(kSet, R"({"a":[1,1]})"), HasSubstr("uniqueness"));
  std::string many = R"({"a":[0)";
  for (int i = 1; i < 2000; ++i) many += fmt::format(",{}", i);
  EXPECT_THAT(Checked(kSet, many + "]}"), HasSubstr("more than 1000"));
}

TEST(SchemaTest, BranchesAndNullKeywords) {
  constexpr char kEither[] = R"({"type":"object","required":null,"oneOf":[
      {"properties":{"a":{"type":"integer"}},"required":["a"]},
      {"properties":{"b":{"type":"integer"}},"required":["b"]}]})";
  EXPECT_EQ(Checked(kEither, R"({"a":1})"), R"({"a":1})");
  EXPECT_THAT(Checked(kEither, R"({"a":1,"b":2})"), HasSubstr("exactly one"));
  EXPECT_THAT(Checked(kEither, R"({"c":1})"), HasSubstr("allowed: a, b"));
}

}  // namespace
}  // namespace talon::tool
