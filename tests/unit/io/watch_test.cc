// SPDX-License-Identifier: Apache-2.0
// File watches and signals.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "io/file_watch.h"
#include "io/loop.h"
#include "io/signals.h"

namespace talon::io {
namespace {

using std::chrono::milliseconds;

class FileWatchTest : public testing::Test {
 protected:
  FileWatchTest() {
    std::string name = testing::TempDir() + "talon_watch_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~FileWatchTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name) { std::ofstream(folder_ + "/" + name) << "x"; }

  std::string folder_;
  Loop loop_;
};

TEST_F(FileWatchTest, ABurstIsOneChange) {
  int changes = 0;
  const auto watch = WatchFile(
      loop_, folder_, "a.yaml",
      [&] {
        ++changes;
        loop_.CallAt(std::chrono::steady_clock::now() + milliseconds(60), [&] { loop_.Stop(); });
      },
      milliseconds(20));
  ASSERT_TRUE(watch.ok());
  for (int i = 0; i < 10; ++i) Write("a.yaml");
  Write("b.yaml");
  loop_.Run();
  EXPECT_EQ(changes, 1);
}

TEST_F(FileWatchTest, AFileThatIsReplacedIsSeenAndOthersAreNot) {
  Write("a.yaml");
  int changes = 0;
  const auto watch = WatchFile(
      loop_, folder_, "a.yaml",
      [&] {
        ++changes;
        loop_.Stop();
      },
      milliseconds(5));
  ASSERT_TRUE(watch.ok());
  Write("other");
  loop_.CallAt(std::chrono::steady_clock::now() + milliseconds(50), [&] {
    EXPECT_EQ(changes, 0);
    std::filesystem::rename(folder_ + "/other", folder_ + "/a.yaml");
  });
  loop_.Run();
  EXPECT_EQ(changes, 1);
}

TEST_F(FileWatchTest, ALinkIsWatchedWhereItLeads) {
  for (const char* name : {"kept", "kept/old", "kept/new"}) {
    std::filesystem::create_directory(folder_ + "/" + name);
  }
  Write("kept/old/real.yaml");
  Write("kept/new/real.yaml");
  std::filesystem::create_symlink("old/real.yaml", folder_ + "/kept/current");
  std::filesystem::create_symlink(folder_ + "/kept/current", folder_ + "/a.yaml");
  int changes = 0;
  const auto watch = WatchFile(
      loop_, folder_, "a.yaml",
      [&] {
        ++changes;
        loop_.Stop();
      },
      milliseconds(5));
  ASSERT_TRUE(watch.ok());
  const auto seen = [&] {
    loop_.Run();
    return std::exchange(changes, 0);
  };
  Write("kept/old/real.yaml");
  EXPECT_EQ(seen(), 1) << "the target is written";
  std::filesystem::create_symlink("new/real.yaml", folder_ + "/kept/next");
  std::filesystem::rename(folder_ + "/kept/next", folder_ + "/kept/current");
  EXPECT_EQ(seen(), 1) << "a link on the way leads elsewhere";
  Write("kept/old/real.yaml");  // nobody looks there any more
  loop_.CallAt(std::chrono::steady_clock::now() + milliseconds(50), [&] {
    EXPECT_EQ(changes, 0);
    Write("kept/new/real.yaml");
  });
  EXPECT_EQ(seen(), 1) << "the new target is written";
}

TEST_F(FileWatchTest, EmptyNameMeansAnyEntryAndTheCallbackMayEndTheWatch) {
  std::unique_ptr<FileWatch> watch;
  auto made = WatchFile(
      loop_, folder_, "",
      [&] {
        watch.reset();
        loop_.Stop();
      },
      milliseconds(1));
  ASSERT_TRUE(made.ok());
  watch = *std::move(made);
  Write("anything");
  loop_.Run();
  EXPECT_EQ(watch, nullptr);
}

TEST_F(FileWatchTest, AMissingFolderIsNotFound) {
  const auto watch = WatchFile(loop_, folder_ + "/none", "", [] {});
  EXPECT_EQ(watch.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(watch.status().message().find("none"), absl::string_view::npos);
}

TEST(SignalTest, DeliveriesAreCallsUntilTheWatchEnds) {
  Loop loop;
  std::vector<int> seen;
  std::unique_ptr<SignalWatch> watch;
  watch = WatchSignals(loop, {SIGUSR1, SIGUSR2}, [&](int number) {
    seen.push_back(number);
    if (seen.size() == 1) ::raise(SIGUSR2);
    if (seen.size() == 2) {
      watch.reset();
      loop.Stop();
    }
  });
  ::raise(SIGUSR1);
  loop.Run();
  EXPECT_EQ(seen, (std::vector<int>{SIGUSR1, SIGUSR2}));
}

}  // namespace
}  // namespace talon::io
