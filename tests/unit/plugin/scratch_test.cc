// SPDX-License-Identifier: Apache-2.0
#include "plugin/scratch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

TEST(ScratchTest, ATreeIsRemovedHoweverDeepAndNothingBeyondItsLinks) {
  const test::TempFolder folder;
  const std::string outside = folder / "outside";
  fs::create_directory(outside);
  std::ofstream(outside + "/kept") << "kept";
  const std::string tree = folder / "tree";
  fs::create_directory(tree);
  fs::create_directory_symlink(outside, tree + "/link");
  // Deeper than a path may be long, and than a process may have files open.
  int at = open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_EQ(mkdirat(at, "folder", 0700), 0);
    ASSERT_EQ(symlinkat(outside.c_str(), at, "out"), 0);
    const int next = openat(at, "folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (depth == 7) fchmod(at, 0);  // not even its owner may look
    close(at);
    at = next;
    ASSERT_GE(at, 0);
  }
  close(at);
  RemoveTree(tree);
  EXPECT_FALSE(fs::exists(tree));
  EXPECT_TRUE(fs::exists(outside + "/kept"));
}

TEST(ScratchTest, IsOfThisUserAlone) {
  const auto made = MakeScratch();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fs::status(*made).permissions(), fs::perms::owner_all);
  RemoveTree(*made);
  EXPECT_FALSE(fs::exists(*made));
  RemoveTree(*made);  // of nothing
}

}  // namespace
}  // namespace talon::plugin
