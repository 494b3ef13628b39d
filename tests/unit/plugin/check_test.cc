// SPDX-License-Identifier: Apache-2.0
// What `talon plugin check` makes up and judges without a process; the rest is tests/authors.
#include <gtest/gtest.h>

#include "base/status.h"
#include "plugin/check/manifest_rules.h"
#include "plugin/check/sample.h"
#include "tool/schema.h"

namespace talon::plugin::check {
namespace {

TEST(CheckSamples, FitMissAndMistake) {
  const char* schema =
      R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer",)"
      R"("minimum":3}},"required":["path","limit"],"additionalProperties":false})";
  const auto samples = MakeSamples(schema);
  ASSERT_TRUE(samples.has_value());
  EXPECT_EQ(samples->fitting, R"({"limit":3,"path":"sample"})");
  EXPECT_NE(samples->unicode, samples->fitting);
  const auto compiled = tool::Schema::Compile(schema);
  ASSERT_TRUE(compiled.ok());
  std::string coerced;
  EXPECT_TRUE((*compiled)->Validate(samples->unicode, &coerced).ok());
  EXPECT_FALSE((*compiled)->Validate(samples->missing, &coerced).ok());
  EXPECT_FALSE((*compiled)->Validate(samples->wrong_type, &coerced).ok());
}

TEST(CheckSamples, ChoicesAndNestedObjects) {
  const auto samples = MakeSamples(
      R"({"type":"object","properties":{"kind":{"enum":["b","a"]},"at":{"type":"object",)"
      R"("properties":{"x":{"type":"number"}},"required":["x"]},"list":{"type":"array",)"
      R"("items":{"type":"boolean"},"minItems":1}},"required":["kind","at","list"]})");
  ASSERT_TRUE(samples.has_value());
  EXPECT_EQ(samples->fitting, R"({"at":{"x":1},"kind":"b","list":[false]})");
}

TEST(CheckSamples, NothingForWhatCannotBeMadeUp) {
  EXPECT_FALSE(MakeSamples(R"({"type":"object","properties":{"id":{"type":"string",)"
                           R"("pattern":"^[0-9]{7}$"}},"required":["id"]})")
                   .has_value());
  EXPECT_FALSE(MakeSamples("no schema").has_value());
  const auto nothing = MakeSamples(R"({"type":"object","properties":{}})");
  ASSERT_TRUE(nothing.has_value());
  EXPECT_EQ(nothing->fitting, "{}");
  EXPECT_TRUE(nothing->missing.empty());
  EXPECT_TRUE(nothing->wrong_type.empty());
}

Finding Judge(const std::string& tool) {
  const auto manifest = ParseManifestJson(
      R"({"protocol":1,"version":"1","description":"d","tools":[)" + tool + "]}", "p", {}, {});
  EXPECT_TRUE(manifest.ok()) << Message(manifest.status());
  return manifest.ok() ? JudgeManifest(*manifest) : Finding{};
}

TEST(CheckManifest, JudgesTools) {
  EXPECT_EQ(Judge(R"({"name":"t","description":"d","effect":"EFFECT_CLASS_READ","readOnly":true})")
                .verdict,
            Verdict::kPass);
  EXPECT_EQ(Judge(R"({"name":"t","description":"d"})").verdict, Verdict::kWarn);
  const Finding sink = Judge(
      R"({"name":"t","description":"d","effect":"EFFECT_CLASS_SEND","sinkArguments":["to"]})");
  EXPECT_EQ(sink.verdict, Verdict::kFail);
  EXPECT_NE(sink.text.find("'to'"), std::string::npos) << sink.text;
  EXPECT_EQ(Judge(R"({"name":"t","description":"d","effect":"EFFECT_CLASS_EXEC","readOnly":true})")
                .verdict,
            Verdict::kFail);
  EXPECT_EQ(Judge(R"({"name":"t","description":"d","effect":"EFFECT_CLASS_READ",)"
                  R"("schemaJson":"{\"type\":\"array\"}"})")
                .verdict,
            Verdict::kFail);
}

TEST(CheckManifest, NamesAMethodOfEachPoint) {
  const auto manifest = ParseManifestJson(
      R"({"protocol":1,"auth":{"schemes":["bearer"]},"storage":{}})", "p", {}, {});
  ASSERT_TRUE(manifest.ok()) << Message(manifest.status());
  EXPECT_EQ(DeclaredMethods(*manifest),
            (std::vector<std::string_view>{"/talon.v1.AuthProvider/Authenticate",
                                           "/talon.v1.Storage/Get"}));
}

}  // namespace
}  // namespace talon::plugin::check
