// SPDX-License-Identifier: Apache-2.0
#include "io/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "io/descriptor_limit.h"
#include "io/loop.h"

namespace talon::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

SpawnOptions Shell(std::string script) {
  return {.program = "/bin/sh", .args = {"-c", std::move(script)}, .env = {"PATH=/usr/bin:/bin"}};
}

enum class Output { kOut, kErr };

Task<std::string> ReadAll(Process* process, Output which) {
  std::string all;
  while (true) {
    auto piece =
        which == Output::kOut ? co_await process->ReadStdout() : co_await process->ReadStderr();
    if (!piece.ok()) co_return all + StatusText(piece.status());
    if (piece->empty()) co_return all;
    all += *piece;
  }
}

// `kill(pid, 0)` says that nothing of that number is left, not even a zombie.
bool IsGone(pid_t pid) {
  return ::kill(pid, 0) != 0 && errno == ESRCH;
}

class ProcessTest : public testing::Test {
 protected:
  std::unique_ptr<Process> Start(const SpawnOptions& options) {
    auto process = Spawn(loop_, options);
    EXPECT_TRUE(process.ok()) << StatusText(process.status());
    return process.ok() ? *std::move(process) : nullptr;
  }
  std::string Out(Process& process) { return loop_.RunUntilDone(ReadAll(&process, Output::kOut)); }
  std::string Err(Process& process) { return loop_.RunUntilDone(ReadAll(&process, Output::kErr)); }
  ExitResult Exit(Process& process) {
    auto result = loop_.RunUntilDone(process.Wait({}));
    EXPECT_TRUE(result.ok());
    return result.value_or(ExitResult{-1, -1});
  }
  Loop loop_;
};

TEST_F(ProcessTest, GivesOutputAndExitCode) {
  auto process = Start(Shell("echo out; echo err >&2; exit 7"));
  EXPECT_EQ(Out(*process), "out\n");
  EXPECT_EQ(Err(*process), "err\n");
  const ExitResult exit = Exit(*process);
  EXPECT_EQ(exit.code, 7);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_TRUE(process->exited());
  EXPECT_EQ(Exit(*process).code, 7) << "a second wait";
  EXPECT_EQ(Out(*process), "") << "end of file stays";
}

TEST_F(ProcessTest, LargeOutputPassesThePipe) {
  auto process = Start(Shell("head -c 1000000 /dev/zero"));
  EXPECT_EQ(Out(*process).size(), 1'000'000u);
}

TEST_F(ProcessTest, ReportsSignals) {
  auto process = Start(Shell("kill -TERM $$"));
  const ExitResult exit = Exit(*process);
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_EQ(exit.code, 0);
}

TEST_F(ProcessTest, EnvironmentIsExactlyAsGiven) {
  ::setenv("TALON_TEST_SECRET", "leak", 1);
  auto process =
      Start({.program = "/usr/bin/env", .args = {}, .env = {"A=1", "B=two words", "EMPTY="}});
  EXPECT_EQ(Out(*process), "A=1\nB=two words\nEMPTY=\n");
  auto bare = Start({.program = "/usr/bin/env"});
  EXPECT_EQ(Out(*bare), "");
}

TEST_F(ProcessTest, RunsInItsFolderWithEmptyStdin) {
  SpawnOptions options = Shell("pwd; cat; echo end");
  options.directory = "/usr";
  auto process = Start(options);
  EXPECT_EQ(Out(*process), "/usr\nend\n");
}

TEST_F(ProcessTest, InheritsOnlyWhatItIsGiven) {
  // Inheritable on purpose.
  int leaks[2];
  ASSERT_EQ(::pipe(leaks), 0);
  auto process = Start({.program = "/bin/ls", .args = {"/proc/self/fd"}});
  // 3 is the folder that ls reads.
  EXPECT_THAT(SplitLines(TrimSpace(Out(*process))), ElementsAre("0", "1", "2", "3"));

  SpawnOptions options = Shell("echo kept >&4; head -c 5 <&3; exec ls /proc/self/fd");
  options.keep = {{leaks[0], 3}, {leaks[1], 4}};
  auto keeping = Start(options);
  EXPECT_THAT(SplitLines(TrimSpace(Out(*keeping))),
              ElementsAre("kept", "0", "1", "2", "3", "4", "5"));
  ::close(leaks[0]);
  ::close(leaks[1]);
}

TEST_F(ProcessTest, ChildrenGetTheDescriptorLimitWeWereStartedWith) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 200;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  RaiseDescriptorLimit(loop_);
  auto process = Start(Shell("ulimit -Sn; ulimit -Hn"));
  const std::string theirs = Out(*process);
  rlimit ours{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &ours), 0);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(SplitLines(TrimSpace(theirs))[0], "200");
  EXPECT_NE(SplitLines(TrimSpace(theirs))[1], "200") << "the hard limit stays";
  EXPECT_EQ(ours.rlim_cur, std::min(before.rlim_max, kMostDescriptors));
}

TEST_F(ProcessTest, KeptDescriptorsMayTradeNumbers) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  if (ends[1] > 9) GTEST_SKIP() << "the shell knows descriptors of one digit only";
  SpawnOptions options = Shell(fmt::format("echo traded >&{}; head -c 7 <&{}", ends[0], ends[1]));
  options.keep = {{ends[0], ends[1]}, {ends[1], ends[0]}};
  auto process = Start(options);
  EXPECT_EQ(Out(*process), "traded\n");
  ::close(ends[0]);
  ::close(ends[1]);
  options.keep = {{0, 2}};
  EXPECT_EQ(Spawn(loop_, options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ProcessTest, SignalStateIsClean) {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t term;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, nullptr);
  auto process =
      Start({.program = "/bin/grep", .args = {"-E", "^Sig(Blk|Ign)", "/proc/self/status"}});
  ::pthread_sigmask(SIG_UNBLOCK, &term, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const std::string masks = Out(*process);
  EXPECT_THAT(masks, StartsWith("SigBlk:\t0000000000000000\nSigIgn:\t"));
  EXPECT_THAT(masks, EndsWith("0000000\n")) << "SIGHUP to 28; glibc keeps 32 and 33 for itself";
}

TEST_F(ProcessTest, FailuresNameTheProgram) {
  const auto start = [this](SpawnOptions options) { return Spawn(loop_, options).status(); };
  const absl::Status missing = start({.program = "/nonexistent/tool"});
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(StatusText(missing), HasSubstr("start '/nonexistent/tool': no such file"));
  const absl::Status folder = start({.program = "/usr"});
  EXPECT_EQ(folder.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(StatusText(folder), HasSubstr("'/usr'"));
  const absl::Status where = start({.program = "/bin/true", .directory = "/nonexistent/place"});
  EXPECT_EQ(where.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(StatusText(where),
              AllOf(HasSubstr("/nonexistent/place"), HasSubstr("no such folder")));
}

TEST_F(ProcessTest, WaitHonoursDeadlineAndCancellation) {
  auto process = Start(Shell("exec sleep 1000"));
  CallContext soon;
  soon.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
  EXPECT_EQ(loop_.RunUntilDone(process->Wait(soon)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  CancelSource source;
  CallContext cancelled;
  cancelled.cancel = source.token();
  loop_.Post([&] { source.Cancel(Cancelled("enough")); });
  EXPECT_EQ(loop_.RunUntilDone(process->Wait(cancelled)).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_FALSE(process->exited());
  process->Signal(SIGTERM);
  EXPECT_EQ(Exit(*process).signal, SIGTERM);
}

TEST_F(ProcessTest, ManyMayWait) {
  auto process = Start(Shell("exec sleep 1000"));
  int ended = 0;
  for (int i = 0; i < 3; ++i) {
    loop_.Spawn([](Process* child, int* count) -> Task<void> {
      auto result = co_await child->Wait({});
      *count += result.ok() && result->signal == SIGKILL;
    }(process.get(), &ended));
  }
  loop_.Post([&] { process->Signal(SIGKILL); });
  EXPECT_EQ(Exit(*process).signal, SIGKILL);
  EXPECT_EQ(loop_.RunUntilDone(process->Wait({}))->signal, SIGKILL);
  EXPECT_EQ(ended, 3);
}

TEST_F(ProcessTest, SignalReachesTheWholeGroup) {
  auto process = Start(Shell("sleep 1000 & echo $!; wait"));
  auto line = loop_.RunUntilDone(process->ReadStdout());
  ASSERT_TRUE(line.ok());
  process->Signal(SIGTERM);
  EXPECT_EQ(Exit(*process).signal, SIGTERM);
  // End of file: the grandchild, which holds the pipe too, has ended.
  EXPECT_EQ(Out(*process), "");
}

TEST_F(ProcessTest, DestructionKillsReapsAndEndsReads) {
  auto process = Start(Shell("echo ready; sleep 1000 & sleep 1000"));
  loop_.RunUntilDone(process->ReadStdout()).IgnoreError();
  const pid_t pid = process->pid();
  OneShot<absl::StatusOr<std::string>> read;
  loop_.Spawn([](Process* child, OneShot<absl::StatusOr<std::string>>* out) -> Task<void> {
    out->Set(co_await child->ReadStdout());
  }(process.get(), &read));
  loop_.Post([&] { process.reset(); });
  EXPECT_EQ(loop_.RunUntilDone(read.Wait()).status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(IsGone(pid));
}

TEST_F(ProcessTest, DestructionEndsWhatTheChildLeftRunning) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  SpawnOptions options = Shell("sleep 1000 >/dev/null 2>&1 & exit 0");
  options.keep = {{ends[1], 3}};
  auto process = Start(options);
  ::close(ends[1]);
  EXPECT_EQ(Exit(*process).code, 0);
  process.reset();
  // The orphan held the other end; its death is the end of file.
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ::close(ends[0]);
}

TEST_F(ProcessTest, ALoopThatEndsFirstLeavesNoChild) {
  pid_t pid = 0;
  {
    Loop loop;
    auto process = Spawn(loop, Shell("exec sleep 1000"));
    ASSERT_TRUE(process.ok());
    pid = (*process)->pid();
  }
  EXPECT_TRUE(IsGone(pid));
}

}  // namespace
}  // namespace talon::io
