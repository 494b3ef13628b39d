// SPDX-License-Identifier: Apache-2.0
// Full disks, read-only folders, damaged files and second processes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/file.h"
#include "base/status.h"
#include "io/loop.h"
#include "store/store.h"
#include "tests/support/child.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/probe_batches.h"

namespace talon::store {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMegabyte = 1 << 20;
constexpr std::string_view kSkip = "skip: ";

// Commits a small batch, makes the disk full, commits a large one, frees the disk, goes on.
std::string FillAndRecover(const std::string& folder, const std::function<void()>& fill,
                           const std::function<void()>& free_space,
                           Durability durability = Durability::kPower) {
  io::Loop loop;
  auto store = OpenSqlite(loop, folder, {.durability = durability});
  if (!store.ok()) return StatusText(store.status());
  const auto commit = [&](int number, std::size_t bytes) {
    return loop.RunUntilDone((*store)->Commit(ProbeBatch(number, bytes)));
  };
  if (!commit(1, 16).ok()) return "the first commit failed";
  fill();
  // A batch within the page cache meets the full disk only as it commits.
  absl::Status little;
  for (int i = 100; i < 2'100 && little.ok(); ++i) little = commit(i, 16);
  if (ReasonOf(little) != ErrorReason::kDiskFull) return "little at a time: " + StatusText(little);
  const absl::Status full = commit(2, kMegabyte);
  if (ReasonOf(full) != ErrorReason::kDiskFull) return "full disk: " + StatusText(full);
  if (*ProbeRows(loop, **store, 2) != 0) return "part of the refused batch is there";
  if (*ProbeRows(loop, **store, 1) != kRowsPerBatch) return "the first batch is gone";
  free_space();
  const absl::Status after = commit(3, kMegabyte);
  if (!after.ok()) return "after space was freed: " + StatusText(after);
  (*store)->Close();
  store->reset();
  store = OpenSqlite(loop, folder, {});
  if (!store.ok()) return "reopen: " + StatusText(store.status());
  if (*ProbeRows(loop, **store, 3) != kRowsPerBatch) return "the last batch is gone";
  return "";
}

// A mount namespace of this process's own, or why there is none.
std::string PrivateMounts() {
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return std::string(kSkip) + "mounting needs more rights: " + std::strerror(errno);
  }
  return "";
}

#define EXPECT_OK_OR_SKIP(answer)                                             \
  do {                                                                        \
    const std::string text_ = (answer);                                       \
    if (text_.starts_with(kSkip)) GTEST_SKIP() << text_.substr(kSkip.size()); \
    EXPECT_EQ(text_, "");                                                     \
  } while (false)

std::string FillByFileSizeLimit(Durability durability) {
  const test::TempFolder folder;
  return test::RunInChild([&] {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    const auto set = [&](rlim_t bytes) {
      limit.rlim_cur = bytes;
      setrlimit(RLIMIT_FSIZE, &limit);
    };
    return FillAndRecover(
        folder.path(), [&] { set(kMegabyte); }, [&] { set(limit.rlim_max); }, durability);
  });
}

TEST(StoreFault, DiskFullByFileSizeLimit) {
  EXPECT_EQ(FillByFileSizeLimit(Durability::kPower), "");
  EXPECT_EQ(FillByFileSizeLimit(Durability::kProcess), "");
}

TEST(StoreFault, DiskFullByTmpfs) {
  const test::TempFolder folder;
  EXPECT_OK_OR_SKIP(test::RunInChild([&]() -> std::string {
    if (std::string refused = PrivateMounts(); !refused.empty()) return refused;
    if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=12m") != 0) {
      return std::string(kSkip) + "no tmpfs: " + std::strerror(errno);
    }
    const std::string ballast = folder / "ballast";
    return FillAndRecover(
        folder / "home",
        [&] {
          const int fd = open(ballast.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
          const std::string chunk(64 << 10, 'b');
          while (write(fd, chunk.data(), chunk.size()) > 0) {
          }
          close(fd);
        },
        [&] { unlink(ballast.c_str()); });
  }));
}

TEST(StoreFault, OneTooLargeBatchDoesNotFailItsGroup) {
  const test::TempFolder folder;
  EXPECT_EQ(test::RunInChild([&]() -> std::string {
              signal(SIGXFSZ, SIG_IGN);
              io::Loop loop;
              auto store = OpenSqlite(loop, folder.path(), {.page_cache = Bytes{64 << 10}});
              if (!store.ok()) return StatusText(store.status());
              rlimit limit{};
              getrlimit(RLIMIT_FSIZE, &limit);
              limit.rlim_cur = 2 * kMegabyte;
              setrlimit(RLIMIT_FSIZE, &limit);
              for (int i = 1; i <= 5; ++i) {
                (*store)->CommitLater(ProbeBatch(i, i == 3 ? 4 * kMegabyte : 16));
              }
              if (!loop.RunUntilDone((*store)->Commit(ProbeBatch(6))).ok()) return "6 was refused";
              for (int i = 1; i <= 6; ++i) {
                const int wanted = i == 3 ? 0 : kRowsPerBatch;
                if (*ProbeRows(loop, **store, i) != wanted) return "batch " + std::to_string(i);
              }
              return "";
            }),
            "");
}

TEST(StoreFault, ReadOnlyFolder) {
  const test::TempFolder folder;
  EXPECT_OK_OR_SKIP(test::RunInChild([&]() -> std::string {
    if (std::string refused = PrivateMounts(); !refused.empty()) return refused;
    const char* path = folder.path().c_str();
    if (mount(path, path, nullptr, MS_BIND, nullptr) != 0 ||
        mount(path, path, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
      return std::string(kSkip) + "no bind mount: " + std::strerror(errno);
    }
    io::Loop loop;
    const absl::Status status = OpenSqlite(loop, folder / "home", {}).status();
    if (!absl::IsPermissionDenied(status)) return StatusText(status);
    return ReasonOf(status) == ErrorReason::kReadOnly ? "" : "no reason";
  }));
}

TEST(StoreFault, FolderOfARunningStoreNamesItsOwner) {
  const test::TempFolder folder;
  std::array<int, 2> ready{};
  std::array<int, 2> finish{};
  ASSERT_EQ(pipe(ready.data()), 0);
  ASSERT_EQ(pipe(finish.data()), 0);
  const pid_t owner = fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    close(finish[1]);
    io::Loop loop;
    const auto store = OpenSqlite(loop, folder.path(), {});
    char byte = store.ok() ? '+' : '-';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    _exit(read(finish[0], &byte, 1) == 0 ? 0 : 1);  // the end of file
  }
  char byte = '-';
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, '+');
  io::Loop loop;
  const absl::Status status = OpenSqlite(loop, folder.path(), {}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kAlreadyRunning);
  EXPECT_THAT(Message(status), HasSubstr("process " + std::to_string(owner)));
  EXPECT_THAT(Message(status), HasSubstr("TALON_HOME"));
  close(finish[1]);
  int ended = 0;
  waitpid(owner, &ended, 0);
  // Its lock file is still there, but nobody holds it.
  EXPECT_TRUE(OpenSqlite(loop, folder.path(), {}).ok());
  for (const int fd : {ready[0], ready[1], finish[0]}) close(fd);
}

TEST(StoreFault, DamagedDatabase) {
  const test::TempFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "talon.db", std::string(8192, 'x')).ok());
  io::Loop loop;
  const absl::Status status = OpenSqlite(loop, folder.path(), {}).status();
  EXPECT_TRUE(absl::IsInternal(status)) << StatusText(status);
  EXPECT_THAT(Message(status), HasSubstr("talon.db"));
}

TEST(StoreFault, DatabaseIsForItsOwnerOnly) {
  const test::TempFolder folder;
  io::Loop loop;
  const auto store = OpenSqlite(loop, folder / "home", {});
  ASSERT_TRUE(store.ok()) << StatusText(store.status());
  for (const char* name :
       {"home/talon.db", "home/talon.db-wal", "home/talon.db-shm", "home/run/lock"}) {
    struct stat info{};
    ASSERT_EQ(stat((folder / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

}  // namespace
}  // namespace talon::store
