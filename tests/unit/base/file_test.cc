// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace talon {
namespace {

unsigned ModeOf(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class FileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }
  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(FileTest, ReadsWhatWasWritten) {
  const std::string content = std::string(200000, 'x') + std::string("\0end", 4);
  ASSERT_TRUE(WriteFileAtomic(Path("a"), content).ok());
  EXPECT_EQ(*ReadFile(Path("a")), content);
  ASSERT_TRUE(WriteFileAtomic(Path("a"), "").ok());
  EXPECT_EQ(*ReadFile(Path("a")), "");
}

TEST_F(FileTest, ReadFailsByKind) {
  const absl::Status missing = ReadFile(Path("none")).status();
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
  EXPECT_NE(Message(missing).find(Path("none")), std::string_view::npos);
  EXPECT_FALSE(ReadFile(folder_.path()).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("a"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("a"), 5).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(Path("a"), 4).status()));
}

TEST_F(FileTest, ReadsFilesWithoutASize) {
  EXPECT_FALSE(ReadFile("/proc/self/stat")->empty());
}

TEST_F(FileTest, ModeDoesNotDependOnTheUmask) {
  const mode_t before = ::umask(077);
  EXPECT_TRUE(WriteFileAtomic(Path("private"), "x").ok());
  EXPECT_TRUE(WriteFileAtomic(Path("shared"), "x", 0644).ok());
  EXPECT_TRUE(MakeDirectories(Path("d/e"), 0755).ok());
  ::umask(before);
  EXPECT_EQ(ModeOf(Path("private")), 0600u);
  EXPECT_EQ(ModeOf(Path("shared")), 0644u);
  EXPECT_EQ(ModeOf(Path("d")), 0755u);
  EXPECT_EQ(ModeOf(Path("d/e")), 0755u);
}

TEST_F(FileTest, FailedWriteLeavesNothingBehind) {
  ASSERT_TRUE(MakeDirectories(Path("target/inside")).ok());
  EXPECT_FALSE(WriteFileAtomic(Path("target"), "x").ok());  // a folder cannot be replaced
  EXPECT_TRUE(absl::IsNotFound(WriteFileAtomic(Path("no/such"), "x")));
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    ++entries;
  }
  EXPECT_EQ(entries, 1);
}

TEST_F(FileTest, MakesParentsAndAcceptsExistingOnes) {
  EXPECT_TRUE(MakeDirectories(Path("a/b/c")).ok());
  EXPECT_TRUE(MakeDirectories(Path("a/b/c/")).ok());
  EXPECT_TRUE(MakeDirectories(Path("a//b/d")).ok());
  EXPECT_EQ(ModeOf(Path("a/b")), 0700u);
  EXPECT_TRUE(MakeDirectories("/").ok());
}

TEST_F(FileTest, FileInTheWayIsNamed) {
  ASSERT_TRUE(WriteFileAtomic(Path("f"), "x").ok());
  const absl::Status status = MakeDirectories(Path("f/g"));
  EXPECT_FALSE(status.ok());
  EXPECT_NE(Message(status).find(Path("f")), std::string_view::npos);
  EXPECT_FALSE(MakeDirectories(Path("f")).ok());
}

}  // namespace
}  // namespace talon
