// SPDX-License-Identifier: Apache-2.0
#include "tool/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace talon::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FakeTool : public Tool {
 public:
  FakeTool(std::string name, std::string plugin, std::string schema = "") {
    spec_.name = std::move(name);
    spec_.plugin = std::move(plugin);
    spec_.schema = std::move(schema);
  }
  const ToolSpec& spec() const override { return spec_; }
  io::Task<absl::StatusOr<ToolOutput>> Execute(Invocation, CallContext) override {
    co_return ToolOutput{};
  }

 private:
  ToolSpec spec_;
};

std::string FoundName(const Catalogue& catalogue, std::string_view name) {
  const Entry* entry = catalogue.Find(name);
  return entry == nullptr ? "" : entry->tool->spec().name;
}

class CatalogueTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"files__read", "files__write", "shell__run", "http__get",
                             "jira__get-issue", "crm__read"}) {
      const std::string text = name;
      ASSERT_TRUE(
          catalogue_.Add(std::make_shared<FakeTool>(text, text.substr(0, text.find('_')))).ok());
    }
  }
  Catalogue catalogue_;
};

TEST_F(CatalogueTest, RefusesBadTools) {
  const auto add = [this](std::string name, std::string schema = "") {
    return catalogue_.Add(std::make_shared<FakeTool>(std::move(name), "x", std::move(schema)));
  };
  EXPECT_EQ(add("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(add("a b").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(add("a.b").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(add(std::string(65, 'a')).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(add("files__read").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(Message(add("files__read"))), HasSubstr("plugin 'files'"));
  EXPECT_THAT(std::string(Message(add("x__y", "{"))), HasSubstr("add tool 'x__y'"));
  EXPECT_EQ(catalogue_.Add(nullptr).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(catalogue_.size(), 6u);
}

TEST_F(CatalogueTest, ReplacesAPluginsToolsAtOnce) {
  const auto kept = catalogue_.Find("files__read")->tool;  // of a call under way
  const auto refused =
      catalogue_.Replace("files", {std::make_shared<FakeTool>("files__read", "files"),
                                   std::make_shared<FakeTool>("files__bad", "files", "{"),
                                   std::make_shared<FakeTool>("crm__read", "files"),
                                   std::make_shared<FakeTool>("files__new", "files")});
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_THAT(std::string(Message(refused[0])), HasSubstr("files__bad"));
  EXPECT_THAT(std::string(Message(refused[1])), HasSubstr("crm__read"));
  EXPECT_NE(catalogue_.Find("files__read")->tool, kept);
  EXPECT_EQ(kept->spec().name, "files__read");
  EXPECT_EQ(catalogue_.Find("files__write"), nullptr);
  EXPECT_NE(catalogue_.Find("files__new"), nullptr);
  EXPECT_EQ(catalogue_.Find("crm__read")->tool->spec().plugin, "crm");
  EXPECT_EQ(catalogue_.size(), 6u);
}

TEST_F(CatalogueTest, FindsForgivingly) {
  EXPECT_EQ(FoundName(catalogue_, "files__read"), "files__read");
  EXPECT_EQ(FoundName(catalogue_, "files.read"), "files__read");
  EXPECT_EQ(FoundName(catalogue_, "FILES__Read"), "files__read");
  EXPECT_EQ(FoundName(catalogue_, "jira__get_issue"), "jira__get-issue");
  EXPECT_EQ(FoundName(catalogue_, "get_issue"), "jira__get-issue");
  EXPECT_EQ(FoundName(catalogue_, "run"), "shell__run");
  EXPECT_EQ(FoundName(catalogue_, "read"), "");  // two plugins have one
  EXPECT_EQ(FoundName(catalogue_, ""), "");
  EXPECT_EQ(FoundName(catalogue_, "files__delete"), "");
  EXPECT_EQ(FoundName(catalogue_, "\xff\xfe"), "");
}

TEST_F(CatalogueTest, SimilarNamesAndRemoval) {
  EXPECT_THAT(catalogue_.Similar("file__reed"), testing::Contains("files__read"));
  EXPECT_THAT(catalogue_.Similar("entirely_different_thing"), IsEmpty());
  EXPECT_LE(catalogue_.Similar("s").size(), 3u);
  catalogue_.RemovePlugin("files");
  EXPECT_EQ(FoundName(catalogue_, "files__read"), "");
  EXPECT_EQ(FoundName(catalogue_, "read"), "crm__read");
  std::vector<std::string> names;
  for (const Entry* entry : catalogue_.All()) names.push_back(entry->tool->spec().name);
  EXPECT_THAT(names, ElementsAre("crm__read", "http__get", "jira__get-issue", "shell__run"));
}

TEST(EffectClassTest, NamesAndTiers) {
  EXPECT_EQ(EffectClassName(EffectClass::kSpend), "spend");
  EXPECT_EQ(*ParseEffectClass("send"), EffectClass::kSend);
  EXPECT_FALSE(ParseEffectClass("Send").ok());
  EXPECT_EQ(TrustTier(EffectClass::kRead), 0);
  EXPECT_EQ(TrustTier(EffectClass::kWrite), 1);
  EXPECT_EQ(TrustTier(EffectClass::kExec), 2);
  EXPECT_EQ(TrustTier(EffectClass::kAdmin), 3);
}

}  // namespace
}  // namespace talon::tool
