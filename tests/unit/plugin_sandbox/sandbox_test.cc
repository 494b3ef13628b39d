// SPDX-License-Identifier: Apache-2.0
// The host with talon-launch and real plugins: what still works inside the sandbox, and how a
// machine that lacks something is told. What does not work inside is tests/hostile/.
#include "plugin/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "plugin/host.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class SandboxTest : public testing::Test {
 public:
  SandboxTest() {
    paths_ = {.bundled = TALON_BUNDLED,
              .run = folder_ / "r",
              .data = folder_ / "data",
              .cache = folder_ / "cache",
              .workspace = folder_ / "workspace",
              .launcher = TALON_LAUNCH};
    std::filesystem::create_directories(paths_.workspace);
  }
  ~SandboxTest() override {
    if (host_ != nullptr) Stop();
  }
  void Stop() {
    (void)loop_.RunUntilDone([](Host* host) -> io::Task<bool> {
      co_await host->Stop();
      co_return true;
    }(host_.get()));
    host_.reset();
  }
  void Load(const std::string& name, PluginEntry entry = {}) {
    name_ = name;
    host_ = MakeHost(loop_, clock_, catalogue_, paths_, options_);
    ASSERT_TRUE(loop_.RunUntilDone(host_->Load({{name, std::move(entry)}})).ok());
  }
  std::string Call(const std::string& tool, const Json& arguments = Json::object()) {
    const tool::Entry* entry = catalogue_.Find(tool);
    TALON_CHECK(entry != nullptr);
    tool::Invocation invocation{.call_id = "call_1", .tool = tool};
    invocation.arguments = arguments.dump();
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + 20s;
    const auto output =
        loop_.RunUntilDone(entry->tool->Execute(std::move(invocation), std::move(context)));
    if (!output.ok()) return StatusText(output.status());
    return output->error.empty() ? output->content : "error: " + output->error;
  }
  std::string Shell(const std::string& command) {
    return Call("shell__run", {{"command", command}});
  }
  // Of the plugin that was loaded last; the other bundled ones are there too.
  PluginInfo Info() {
    for (PluginInfo& info : host_->List()) {
      if (info.name == name_) return std::move(info);
    }
    ADD_FAILURE() << name_ << " is not listed";
    return {};
  }

  io::Loop loop_;
  SystemClock clock_;
  test::TempFolder folder_;
  tool::Catalogue catalogue_;
  HostPaths paths_;
  HostOptions options_;
  std::string name_;
  std::unique_ptr<Host> host_;
};

TEST_F(SandboxTest, TheMachineIsProbedOnceAndWhenItMatters) {
  Load("shell");
  Stop();
  Load("shell");  // nothing has to be run by now for its tools to be known
  EXPECT_EQ(Info().sandbox.grade, kNotProbed);
  EXPECT_FALSE(host_->sandbox()->probed());
  // Whoever comes second waits for the first.
  io::Nursery both(loop_);
  int done = 0;
  for (int i = 0; i < 2; ++i) {
    both.Spawn([](SandboxTest* test, int* count) -> io::Task<void> {
      co_await test->host_->ProbeSandbox();
      EXPECT_TRUE(test->host_->sandbox()->probed());
      ++*count;
    }(this, &done));
  }
  EXPECT_EQ(Shell("echo inside"), "inside\n[exit code 0]");
  (void)loop_.RunUntilDone([](io::Nursery* all) -> io::Task<bool> {
    co_await all->Join();
    co_return true;
  }(&both));
  EXPECT_EQ(done, 2);
  EXPECT_NE(Info().sandbox.grade, kNotProbed);
}

TEST_F(SandboxTest, CommandsOfTheShellWorkInside) {
  Load("shell");
  EXPECT_EQ(Info().sandbox.workspace, "write");
  EXPECT_EQ(Shell("echo one two | tr ' ' '\\n' | sort -r | head -1"), "two\n[exit code 0]");
  EXPECT_EQ(Shell("printf '#!/bin/sh\\necho ran\\n' > s.sh; chmod +x s.sh; ./s.sh"),
            "ran\n[exit code 0]");
  EXPECT_TRUE(std::filesystem::exists(paths_.workspace + "/s.sh"));
  EXPECT_EQ(Shell("timeout 0.1 sleep 30; echo $?"), "124\n[exit code 0]");
  EXPECT_EQ(Shell("sleep 30 & kill $!; wait $! 2>/dev/null; echo $?"), "143\n[exit code 0]");
  EXPECT_EQ(Shell("kill -SEGV $$"), "[killed by signal 11: Segmentation fault]");
  EXPECT_THAT(Call("shell__run", {{"command", "sleep 30"}, {"timeout_ms", 50}}),
              HasSubstr("timed out"));
  EXPECT_EQ(Shell("echo x > /tmp/f && cat /tmp/f && cat /proc/self/comm"), "x\ncat\n[exit code 0]");
  EXPECT_EQ(Shell("mkfifo p; (echo through > p &) ; cat p"), "through\n[exit code 0]");
  EXPECT_EQ(Shell("python3 -c 'import threading as t; x=t.Thread(target=print,args=(7,)); "
                  "x.start(); x.join()'"),
            "7\n[exit code 0]");
}

TEST_F(SandboxTest, AFreshWorkspaceFileBelongsToTheDaemon) {
  Load("files");
  EXPECT_THAT(Call("files__write", {{"path", "a/b.txt"}, {"content", "text"}}),
              testing::Not(HasSubstr("error")));
  struct stat info{};
  ASSERT_EQ(stat((paths_.workspace + "/a/b.txt").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, geteuid());
  EXPECT_THAT(Call("files__read", {{"path", "a/b.txt"}}), HasSubstr("text"));
}

TEST_F(SandboxTest, ALocalFileGrantIsNeeded) {
  std::ofstream(folder_ / "outside.txt") << "secret";
  Load("shell");
  EXPECT_THAT(Shell("cat " + folder_ / "outside.txt"), HasSubstr("No such file"));
  Stop();
  PluginEntry entry;
  entry.sandbox.read_paths = {folder_ / "outside.txt"};
  Load("shell", entry);
  EXPECT_EQ(Shell("cat " + folder_ / "outside.txt"), "secret\n[exit code 0]");
  EXPECT_THAT(Shell("echo x > " + folder_ / "outside.txt"), HasSubstr("exit code 2"));
}

TEST_F(SandboxTest, NoGrantShowsTheDaemonsHome) {
  paths_.hidden = folder_ / "home";
  std::filesystem::create_directories(paths_.hidden);
  std::ofstream(paths_.hidden + "/token") << "secret";
  std::ofstream(folder_ / "beside") << "open";
  PluginEntry entry;
  entry.sandbox.read_paths = {folder_.path()};
  Load("shell", entry);
  EXPECT_EQ(Shell("cat " + folder_ / "beside"), "open\n[exit code 0]");
  EXPECT_EQ(Shell("ls -A " + paths_.hidden), "[exit code 0]");
  Stop();
  std::filesystem::create_symlink(paths_.hidden, folder_ / "link");
  for (const std::string& grant : {paths_.hidden, paths_.hidden + "/token", folder_ / "link"}) {
    entry.sandbox.read_paths = {grant};
    Load("shell", entry);
    EXPECT_THAT(Shell("true"), HasSubstr("talon's home")) << grant;
    Stop();
  }
  entry.sandbox.read_paths.clear();
  entry.sandbox.write_paths = {std::filesystem::path(folder_.path()).parent_path().string()};
  Load("shell", entry);
  EXPECT_THAT(Shell("true"), HasSubstr("talon's home")) << "what is above it could be renamed";
}

TEST_F(SandboxTest, WorkspaceCanBeTakenAway) {
  PluginEntry entry;
  entry.sandbox.workspace = FileChoice::kRead;
  Load("files", entry);
  std::ofstream(paths_.workspace + "/in.txt") << "inside";
  EXPECT_THAT(Call("files__read", {{"path", "in.txt"}}), HasSubstr("inside"));
  EXPECT_THAT(Call("files__write", {{"path", "out.txt"}, {"content", "x"}}), HasSubstr("error"));
  EXPECT_FALSE(std::filesystem::exists(paths_.workspace + "/out.txt"));
}

TEST_F(SandboxTest, KillingWhatTheHostKnowsEndsThePlugin) {
  Load("shell");
  (void)Shell("true");
  const auto pid = static_cast<pid_t>(Info().pid);
  ASSERT_GT(pid, 1);
  kill(pid, SIGKILL);
  // The connection's end is the news: the next call finds a new process.
  for (int i = 0; i < 3 && Info().restarts == 0; ++i) (void)Shell("true");
  EXPECT_EQ(Shell("echo again"), "again\n[exit code 0]");
  EXPECT_NE(Info().pid, pid);
}

TEST_F(SandboxTest, WithoutTheLauncherNothingRunsButWithoutAProfile) {
  paths_.launcher = folder_ / "missing";
  Load("shell");
  EXPECT_THAT(Shell("true"),
              testing::AllOf(HasSubstr("talon-launch does not work"), HasSubstr("profile: none")));
  EXPECT_EQ(Info().sandbox.grade, "C");
  Stop();
  PluginEntry entry;
  entry.sandbox.profile = ProfileChoice::kNone;
  Load("shell", entry);
  EXPECT_EQ(Shell("echo free"), "free\n[exit code 0]");
  EXPECT_EQ(Info().sandbox.grade, "none");
}

TEST_F(SandboxTest, StrictStillRunsTheBundledPlugins) {
  options_.sandbox.profile = SandboxProfile::kStrict;
  Load("shell");
  EXPECT_EQ(Shell("echo one | cat; ls /usr > /dev/null && echo two"), "one\ntwo\n[exit code 0]");
  EXPECT_THAT(Shell("cp /bin/true t; ./t"), HasSubstr("exit code 126")) << "what it wrote runs";
  EXPECT_EQ(Info().sandbox.profile, "strict");
}

}  // namespace
}  // namespace talon::plugin
