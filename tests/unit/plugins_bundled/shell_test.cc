// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "shell/output_buffer.h"
#include "shell/shell_plugin.h"
#include "talon/sdk/testing.h"
#include "tests/unit/plugins_bundled/scratch.h"

namespace talon::plugins {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Waits for the end of a process that is not our child.
bool Ends(pid_t pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
  if (fd < 0) return errno == ESRCH;
  pollfd wait = {fd, POLLIN, 0};
  const int result = poll(&wait, 1, 10'000);
  close(fd);
  return result == 1;
}

// Not even dying: when a call has ended, so has what it started.
bool IsGone(pid_t pid) {
  return kill(pid, 0) != 0 && errno == ESRCH;
}

class ShellTest : public testing::Test {
 protected:
  ShellTest() : harness_(MakeShellPlugin()) {
    std::filesystem::create_directory(outer_.At("ws"));
    configured_ = harness_.Configure(R"({"env":{"EXTRA":"1"},"max_output_bytes":1000})",
                                     {.workspace = outer_.At("ws")});
  }
  void SetUp() override { ASSERT_TRUE(configured_.ok()) << configured_; }

  sdk::Result Run(const std::string& command, json more = json::object(),
                  const sdk::TestCall& call = {}) {
    more["command"] = command;
    return harness_.Execute("run", more.dump(), call).value();
  }

  test::Scratch outer_;
  sdk::PluginHarness harness_;
  absl::Status configured_;
};

TEST_F(ShellTest, ReportsOutputAndExitCode) {
  EXPECT_EQ(Run("echo hi").content, "hi\n[exit code 0]");
  EXPECT_EQ(Run("echo out; echo err >&2; exit 3").content,
            "stdout:\nout\nstderr:\nerr\n[exit code 3]");
  EXPECT_EQ(Run("true").content, "[exit code 0]");
  EXPECT_EQ(Run("kill -TERM $$").content, "[killed by signal 15: Terminated]");
  EXPECT_EQ(Run("/no/such").content.substr(0, 7), "stderr:");
  EXPECT_EQ(Run("cat").content, "[exit code 0]");  // stdin is empty
  EXPECT_EQ(Run("printf 'a\\377b'").content,
            "a\xEF\xBF\xBD"
            "b\n[exit code 0]");
  EXPECT_THAT(Run(std::string("a\0b", 3)).error, HasSubstr("NUL"));
}

TEST_F(ShellTest, RunsInTheWorkspaceOnly) {
  std::filesystem::create_directory(outer_.At("ws/sub"));
  std::filesystem::create_directory_symlink("..", outer_.At("ws/up"));
  EXPECT_EQ(Run("pwd -P").content, outer_.At("ws") + "\n[exit code 0]");
  EXPECT_EQ(Run("pwd -P", {{"directory", "sub"}}).content, outer_.At("ws/sub") + "\n[exit code 0]");
  for (const char* directory : {"..", "up", "/", "/tmp", "sub/../..", "no"}) {
    EXPECT_NE(Run("pwd", {{"directory", directory}}).error, "") << directory;
  }
}

TEST_F(ShellTest, EnvironmentIsScrubbed) {
  setenv("TALON_TEST_SECRET", "hunter2", 1);
  const std::string text = Run("env").content;
  unsetenv("TALON_TEST_SECRET");
  EXPECT_THAT(text, testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr("PATH="));
  EXPECT_THAT(text, HasSubstr("HOME="));
  EXPECT_THAT(text, HasSubstr("EXTRA=1"));
}

TEST_F(ShellTest, NoDescriptorIsInherited) {
  // 3 is the one ls itself has open.
  EXPECT_EQ(Run("ls /proc/self/fd").content, "0\n1\n2\n3\n[exit code 0]");
}

TEST_F(ShellTest, TimeoutKillsTheWholeGroup) {
  const sdk::Result result = Run(
      "echo begin; sleep 300 & echo $! > child; (sleep 300; echo never) ", {{"timeout_ms", 150}});
  EXPECT_THAT(result.error, testing::StartsWith("begin\n[killed after "));
  EXPECT_THAT(result.error, HasSubstr("timed out]"));
  EXPECT_TRUE(Ends(std::stoi(outer_.Read("ws/child"))));
}

TEST_F(ShellTest, DeadlineOfTheCallIsReportedInTime) {
  const sdk::Result result =
      Run("echo begin; sleep 300", json::object(), {.deadline = std::chrono::milliseconds(500)});
  EXPECT_THAT(result.error, HasSubstr("timed out]"));
}

TEST_F(ShellTest, BackgroundProcessesEndWithTheCommand) {
  // The child keeps stdout open: that must not keep the call.
  EXPECT_EQ(Run("sleep 300 & echo $! > child; echo done").content, "done\n[exit code 0]");
  EXPECT_TRUE(Ends(std::stoi(outer_.Read("ws/child"))));
}

// setsid, a daemon's double fork, an emptied environment: none of them is a way out.
constexpr char kFlight[] =
    "mkfifo ready; setsid sleep 777 & echo $! > child;"
    "(setsid sh -c 'env -i /bin/sh -c \"echo \\$\\$ > grandchild; echo > ready;"
    " exec /bin/sleep 777\" &' &);"
    "read x < ready;";

TEST_F(ShellTest, NothingOutlivesACommandThatEnds) {
  EXPECT_EQ(Run(std::string(kFlight) + "echo done").content, "done\n[exit code 0]");
  EXPECT_TRUE(IsGone(std::stoi(outer_.Read("ws/child"))));
  EXPECT_TRUE(IsGone(std::stoi(outer_.Read("ws/grandchild"))));
}

TEST_F(ShellTest, NothingOutlivesATimeout) {
  const sdk::Result result = Run(std::string(kFlight) + "sleep 300", {{"timeout_ms", 2000}});
  EXPECT_THAT(result.error, HasSubstr("timed out]"));
  EXPECT_TRUE(IsGone(std::stoi(outer_.Read("ws/child"))));
  EXPECT_TRUE(IsGone(std::stoi(outer_.Read("ws/grandchild"))));
}

TEST_F(ShellTest, ACommandThatEndsLeavesOthersAlone) {
  for (const char* fifo : {"ws/go", "ws/begun"}) {
    ASSERT_EQ(mkfifo(outer_.At(fifo).c_str(), 0600), 0);
  }
  std::string other;
  std::thread runner([&] {
    other =
        Run("setsid sh -c 'echo > begun; read x < go; echo ok > out' & wait $!; cat out").content;
  });
  outer_.Read("ws/begun");
  EXPECT_EQ(Run("true").content, "[exit code 0]");
  EXPECT_EQ(Run("echo > go").content, "[exit code 0]");
  runner.join();
  EXPECT_EQ(other, "ok\n[exit code 0]");
}

TEST_F(ShellTest, CancellationKillsAtOnce) {
  ASSERT_EQ(mkfifo(outer_.At("ws/ready").c_str(), 0600), 0);
  const auto cancel = std::make_shared<sdk::CancelFlag>();
  std::thread canceller([&] {
    outer_.Read("ws/ready");  // waits until the command opens it
    cancel->Set();
  });
  const sdk::Result result =
      Run("echo $$ > child; echo > ready; sleep 300", json::object(), {.cancel = cancel});
  canceller.join();
  EXPECT_EQ(result.error, "[killed: cancelled]");
  EXPECT_TRUE(Ends(std::stoi(outer_.Read("ws/child"))));
}

TEST_F(ShellTest, FloodKeepsHeadAndTail) {
  const std::string text = Run("echo first; seq 1 200000; echo last").content;
  EXPECT_LT(text.size(), 1300u);
  EXPECT_THAT(text, testing::StartsWith("first\n1\n2\n"));
  EXPECT_THAT(text, HasSubstr("bytes left out"));
  EXPECT_THAT(text, testing::EndsWith("\n200000\nlast\n[exit code 0]"));
  EXPECT_THAT(Run("yes", {{"timeout_ms", 100}}).error, HasSubstr("timed out]"));
}

TEST(OutputBufferTest, KeepsBothEndsOfAnyStream) {
  OutputBuffer small(100);
  small.Append("abc");
  small.Append("def");
  EXPECT_EQ(small.Text(), "abcdef");

  OutputBuffer exact(8);
  exact.Append("abcdefgh");
  EXPECT_EQ(exact.Text(), "abcdefgh");

  OutputBuffer one_by_one(100), at_once(100);
  std::string all;
  for (int i = 0; i < 5000; ++i) all += static_cast<char>('a' + i % 26);
  for (const char c : all) one_by_one.Append({&c, 1});
  at_once.Append(all);
  EXPECT_EQ(one_by_one.Text(), at_once.Text());
  EXPECT_THAT(at_once.Text(), testing::EndsWith(all.substr(4960)));
}

TEST(ShellConfigureTest, RefusesWhatItDoesNotKnow) {
  test::Scratch scratch;
  const auto message = [&](const char* config) {
    return std::string(sdk::PluginHarness(MakeShellPlugin())
                           .Configure(config, {.workspace = scratch.path()})
                           .message());
  };
  EXPECT_THAT(message(R"({"timeout":1})"), HasSubstr("option 'timeout' is not known"));
  EXPECT_THAT(message(R"({"timeout_ms":0})"), HasSubstr("timeout_ms must be"));
  EXPECT_THAT(message(R"({"max_output_bytes":1})"), HasSubstr("max_output_bytes must be"));
}

}  // namespace
}  // namespace talon::plugins
