// SPDX-License-Identifier: Apache-2.0
#include "plugin/disk_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class DiskUseTest : public testing::Test {
 protected:
  void Write(const std::string& name, std::size_t bytes) {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name) << std::string(bytes, 'x');
  }
  std::string Problem(std::uint64_t most, int watch = -1) {
    return std::string(Message(CheckDisk({folder_.path()}, {.most_bytes = most}, watch)));
  }
  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(DiskUseTest, CountsAllThatIsBelowTogether) {
  Write("a", 40'000);
  Write("b/c/d", 40'000);
  EXPECT_EQ(Problem(200'000), "");
  EXPECT_THAT(Problem(60'000), testing::AllOf(HasSubstr("60000 bytes"), HasSubstr("sandbox.disk")));
}

TEST_F(DiskUseTest, EmptyAndSparseFilesCount) {
  for (int i = 0; i < 100; ++i) Write("empty" + std::to_string(i), 0);
  EXPECT_NE(Problem(50'000), "");
  EXPECT_EQ(Problem(200'000), "");
  Write("sparse", 1);
  fs::resize_file(folder_ / "sparse", 1 << 30);
  EXPECT_NE(Problem(1 << 29), "");
}

TEST_F(DiskUseTest, LinksLeadNowhereAndWhatCannotBeCountedIsTooMuch) {
  fs::create_directory_symlink("/usr", folder_ / "link");
  EXPECT_EQ(Problem(100'000), "");
  std::string deep = "f";
  for (int i = 0; i < 80; ++i) deep += "/f";
  fs::create_directories(folder_ / deep);
  EXPECT_THAT(Problem(1 << 30), HasSubstr("deeper than"));
}

TEST_F(DiskUseTest, AChangeBelowIsToldOnce) {
  Write("b/c/d", 1);
  const int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  EXPECT_EQ(Problem(1 << 30, watch), "");
  pollfd told{watch, POLLIN, 0};
  EXPECT_EQ(poll(&told, 1, 0), 0);
  Write("b/c/e", 1);
  EXPECT_EQ(poll(&told, 1, 0), 1);
  close(watch);
}

}  // namespace
}  // namespace talon::plugin
