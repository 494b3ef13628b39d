// SPDX-License-Identifier: Apache-2.0
// Kills a program at every write its store makes: what was acknowledged is all there afterwards,
// and nothing is half there.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "io/loop.h"
#include "store/store.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/store/probe_batches.h"

namespace talon::store {
namespace {

constexpr int kBatches = 8;

struct CrashRun {
  bool killed = false;
  int exit_code = -1;
  std::set<int> acknowledged;
};

// Given to gtest as a parameter, so it prints itself.
struct CrashCase {
  std::string name;
  std::string when;
  int at_once = 1;
  std::string durability;
  friend std::ostream& operator<<(std::ostream& out, const CrashCase& value) {
    return out << value.name;
  }
};

// `env` beyond the preload and the program's name.
CrashRun RunProgram(const std::string& folder, const CrashCase& how, std::vector<std::string> env) {
  env.push_back("LD_PRELOAD=" TALON_KILL_SHIM);
  env.push_back("TALON_KILL_PROGRAM=store_crash_program");
  std::vector<std::string> args{TALON_CRASH_PROGRAM, folder, std::to_string(kBatches),
                                std::to_string(how.at_once), how.durability};
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (std::string& variable : env) envp.push_back(variable.data());
  envp.push_back(nullptr);

  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  EXPECT_EQ(posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);

  std::string output;
  std::array<char, 512> buffer{};
  for (ssize_t count = 0; (count = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    output.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CrashRun run;
  run.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  std::istringstream numbers(output);
  for (int number = 0; numbers >> number;) run.acknowledged.insert(number);
  return run;
}

int CountPoints(const CrashCase& how) {
  const test::TempFolder folder(test::Where::kMemory);
  const std::string count_file = folder / "count";
  const CrashRun run = RunProgram(folder / "home", how, {"TALON_KILL_COUNT_FILE=" + count_file});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.acknowledged.size(), static_cast<std::size_t>(kBatches));
  const auto count = ReadFile(count_file);
  EXPECT_TRUE(count.ok()) << StatusText(count.status());
  return count.ok() ? std::stoi(*count) : 0;
}

void ExpectWhole(const std::string& folder, const CrashRun& run) {
  io::Loop loop;
  auto store = OpenSqlite(loop, folder, {});
  ASSERT_TRUE(store.ok()) << StatusText(store.status());
  for (int number = 0; number < kBatches; ++number) {
    const auto rows = ProbeRows(loop, **store, number);
    ASSERT_TRUE(rows.ok()) << StatusText(rows.status());
    if (run.acknowledged.contains(number)) {
      EXPECT_EQ(*rows, kRowsPerBatch) << "batch " << number << " was acknowledged";
    } else {
      EXPECT_TRUE(*rows == 0 || *rows == kRowsPerBatch) << "batch " << number << " is half there";
    }
  }
  // And the store goes on.
  EXPECT_TRUE(loop.RunUntilDone((*store)->Commit(ProbeBatch(kBatches))).ok());
}

class Crash : public testing::TestWithParam<CrashCase> {};

// Dies at point 1, 2, 3, … until a run gets through.
TEST_P(Crash, NothingAcknowledgedIsLostAndNothingIsHalfThere) {
  const int points = CountPoints(GetParam());
  EXPECT_GT(points, 50) << "the shim does not see SQLite's writes";
  int killed = 0;
  for (;;) {
    SCOPED_TRACE("point " + std::to_string(killed + 1));
    const test::TempFolder folder(test::Where::kMemory);
    const CrashRun run = RunProgram(
        folder.path(), GetParam(),
        {"TALON_KILL_AT=" + std::to_string(killed + 1), "TALON_KILL_WHEN=" + GetParam().when});
    ExpectWhole(folder.path(), run);
    if (!run.killed) {
      EXPECT_EQ(run.exit_code, 0);
      EXPECT_EQ(run.acknowledged.size(), static_cast<std::size_t>(kBatches));
      break;
    }
    ++killed;
  }
  // How waiting batches fall into groups, and so the number of writes, differs from run to run.
  if (GetParam().at_once == 1) EXPECT_EQ(killed, points);
  EXPECT_GT(killed, 50);
  RecordProperty("points", killed);
}

INSTANTIATE_TEST_SUITE_P(When, Crash,
                         testing::Values(CrashCase{"before", "before", 1, "power"},
                                         CrashCase{"after", "after", 1, "power"},
                                         CrashCase{"torn", "torn", 1, "process"},
                                         CrashCase{"torn_in_groups", "torn", 4, "power"}),
                         [](const auto& info) { return info.param.name; });

TEST(KillShim, LeavesOtherProgramsAlone) {
  const test::TempFolder folder(test::Where::kMemory);
  const std::string command = "LD_PRELOAD=" TALON_KILL_SHIM
                              " TALON_KILL_PROGRAM=another TALON_KILL_AT=1 " TALON_CRASH_PROGRAM
                              " " +
                              folder.path() + " 2 1 process > /dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace talon::store
