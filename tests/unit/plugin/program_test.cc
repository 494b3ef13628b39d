// SPDX-License-Identifier: Apache-2.0
#include "plugin/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/digest.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() { Write("program", "#!/bin/sh\n"); }
  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = folder_ / name;
    EXPECT_TRUE(WriteFileAtomic(path, content, 0755).ok());
    return path;
  }
  std::string Problem(const std::string& path) {
    const auto program = Program::Open(path);
    return program.ok() ? "" : std::string(Message(program.status()));
  }

  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(ProgramTest, SymlinksAreResolvedAndWhatIsOpenIsHashed) {
  fs::create_symlink(folder_ / "program", folder_ / "link");
  const auto program = Program::Open(folder_ / "link");
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->path(), folder_ / "program");
  EXPECT_FALSE((*program)->runs_by_descriptor());
  EXPECT_TRUE((*program)->Unchanged());
  Write("program", "#!/bin/sh\nevil\n");  // another file of this name
  DigestCache digests;
  EXPECT_EQ(*(*program)->Sha256(digests), Sha256Hex("#!/bin/sh\n"));
  EXPECT_FALSE((*program)->Unchanged());
  EXPECT_TRUE((*Program::Open("/proc/self/exe"))->runs_by_descriptor());
}

TEST_F(ProgramTest, NobodyElseMayWriteItOrWhatIsAboveIt) {
  const std::string path = folder_ / "program";
  EXPECT_EQ(Problem(path), "");
  fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
  EXPECT_NE(Problem(path).find("chmod go-w"), std::string::npos);
  fs::permissions(path, fs::perms::others_write, fs::perm_options::remove);
  fs::permissions(folder_.path(), fs::perms::others_write, fs::perm_options::add);
  EXPECT_NE(Problem(path).find("can be written by others"), std::string::npos);
  fs::permissions(folder_.path(), fs::perms::sticky_bit, fs::perm_options::add);
  EXPECT_EQ(Problem(path), "");  // like /tmp: only the owner can replace what is in it
}

TEST_F(ProgramTest, AGroupMayWriteWhenItIsTheOwnersOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files to others";
  const std::string path = folder_ / "program";
  fs::permissions(path, fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(Problem(path), "");
  ASSERT_EQ(::chown(path.c_str(), 0, 12345), 0);
  EXPECT_NE(Problem(path).find("can be written by others"), std::string::npos);
  ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
  EXPECT_NE(Problem(path).find("belongs to user 12345"), std::string::npos);
}

TEST_F(ProgramTest, WhatIsNoFileIsRefused) {
  EXPECT_NE(Problem(folder_.path()).find("not a regular file"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0700), 0);
  EXPECT_NE(Problem(folder_ / "pipe").find("not a regular file"), std::string::npos);
  EXPECT_NE(Problem(folder_ / "none").find("find"), std::string::npos);
}

TEST_F(ProgramTest, ADigestIsRememberedUntilTheFileChanges) {
  DigestCache digests;
  const std::string path = Write("big", std::string(300'000, 'a'));
  const auto digest = [&] {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const auto text = digests.Of(fd, path);
    ::close(fd);
    return text.ok() ? *text : StatusText(text.status());
  };
  EXPECT_EQ(digest(), Sha256Hex(std::string(300'000, 'a')));
  EXPECT_EQ(digest(), Sha256Hex(std::string(300'000, 'a')));
  // In place, with the size and the time of modification put back.
  struct stat before{};
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::pwrite(fd, "b", 1, 5), 1);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::futimens(fd, times), 0);
  ::close(fd);
  EXPECT_NE(digest(), Sha256Hex(std::string(300'000, 'a')));
}

}  // namespace
}  // namespace talon::plugin
