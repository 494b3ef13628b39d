// SPDX-License-Identifier: Apache-2.0
// What a server may lack of the sandbox, and the process it is to become. Files that are not there
// stand for files that are not shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mcp/child_plan.h"
#include "mcp/grants.h"
#include "tests/support/temp_folder.h"

namespace talon::plugins::mcp {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class GrantsTest : public testing::Test {
 protected:
  std::string Script(const std::string& name, const std::string& first_line) const {
    const std::string path = folder + "/" + name;
    std::ofstream(path) << first_line << "\n";
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  test::TempFolder temp;
  const std::string folder = temp.path();
};

TEST_F(GrantsTest, AProgramThatIsNotShownIsNamedWithTheOption) {
  EXPECT_THAT(MissingGrants({.command = "/opt/nowhere/npx"}),
              AllOf(HasSubstr("'/opt/nowhere/npx'"), HasSubstr("`sandbox.read_paths`")));
  EXPECT_THAT(MissingGrants({.command = "no-such-npx"}),
              AllOf(HasSubstr("full path"), HasSubstr("`sandbox.read_paths`")));
}

TEST_F(GrantsTest, ALinkThatLeadsOutOfWhatIsShownTellsWhere) {
  fs::create_symlink("../lib/npx-cli.js", folder + "/npx");
  EXPECT_THAT(MissingGrants({.command = folder + "/npx"}),
              HasSubstr(fs::path(folder).parent_path().string() + "/lib/npx-cli.js'"));
}

TEST_F(GrantsTest, AScriptWithoutItsInterpreter) {
  EXPECT_THAT(MissingGrants({.command = Script("a", "#!/opt/nowhere/python3 -u")}),
              HasSubstr("the interpreter '/opt/nowhere/python3'"));
  EXPECT_THAT(MissingGrants({.command = Script("b", "#!/usr/bin/env no-such-node")}),
              HasSubstr("runs by 'no-such-node'"));
  EXPECT_THAT(MissingGrants({.command = Script("c", "#!/bin/sh")}), Not(HasSubstr("interpreter")));
  EXPECT_THAT(MissingGrants({.command = Script("d", "#!/usr/bin/env sh")}),
              Not(HasSubstr("runs by")));
}

TEST_F(GrantsTest, FoldersAmongTheArguments) {
  const std::string said = MissingGrants(
      {.command = "sh", .args = {"-x", "/srv/no", "--in=/srv/neither", folder, "a/b", "k=/srv/x"}});
  EXPECT_THAT(said, AllOf(HasSubstr("'/srv/no'"), HasSubstr("'/srv/neither'"),
                          HasSubstr("write_paths"), Not(HasSubstr("/srv/x"))));
  EXPECT_THAT(said, Not(HasSubstr("'" + folder)));
  EXPECT_EQ(HiddenFolder(folder), "");
  EXPECT_THAT(HiddenFolder("/srv/no"), StartsWith("the folder '/srv/no'"));
}

TEST_F(GrantsTest, AProgramThatTheKernelRefusesSaysSo) {
  const auto child = Child::Start({.command = Script("a", "#!/opt/nowhere/python3")});
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("No such file"));
}

TEST_F(GrantsTest, WhatLiesBesideACommandIsFoundByItsName) {
  EXPECT_THAT(PlanChild({.name = "s", .command = "/opt/node/bin/npx"}, "").env,
              Contains(StartsWith("PATH=/opt/node/bin:")));
  EXPECT_THAT(PlanChild({.name = "s", .command = "npx"}, "").env,
              Not(Contains(StartsWith("PATH=:"))));
  EXPECT_THAT(PlanChild({.name = "s", .command = "/opt/npx", .env = {{"PATH", "/x"}}}, "/home").env,
              AllOf(Contains("PATH=/x"), Contains("HOME=/home")));
}

}  // namespace
}  // namespace talon::plugins::mcp
