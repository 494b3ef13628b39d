// SPDX-License-Identifier: Apache-2.0
// Scheduled tasks over restarts, on a real store, with plugins that answer as told.
#include "trigger/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "base/derived_principal.h"
#include "base/status.h"
#include "store/store.h"
#include "talon/v1/notify.pb.h"
#include "talon/v1/schedule.pb.h"
#include "tests/support/fakes/fake_plugin_host.h"
#include "tests/support/temp_folder.h"

namespace talon::trigger {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Wall time stands still unless a test moves it.
class StillClock : public Clock {
 public:
  WallTime Now() const override { return now; }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }
  WallTime now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 3 / 1));
};

class TasksTest : public testing::Test {
 protected:
  TasksTest() {
    host_.manifest.emplace().notify = plugin::Manifest::Notify{};
    AddTask({.name = "look", .enabled = true, .every = 1h, .timeout = 10s});
    host_.answer = [this](std::string_view method,
                          const std::string& bytes) -> absl::StatusOr<std::string> {
      if (method.ends_with("Notify")) {
        notes_.emplace_back().ParseFromString(bytes);
        return v1::NotifyResponse().SerializeAsString();
      }
      runs_.emplace_back().ParseFromString(bytes);
      if (!failure_.ok()) return failure_;
      return report_.SerializeAsString();
    };
  }
  ~TasksTest() override { Stop(); }

  void AddTask(plugin::Manifest::Task task) { host_.manifest->tasks.push_back(std::move(task)); }
  plugin::Manifest::Task& task() { return host_.manifest->tasks.at(0); }

  // The beginning of a daemon.
  void Start() {
    auto opened =
        store::OpenSqlite(loop_, folder_.path(), {.durability = store::Durability::kProcess});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    journal_.emplace(*store_, clock_);
    notifier_.emplace(loop_, host_, clock_, ids_, plugin::NotificationOptions{.plugin = "files"});
    tasks_.emplace(Tasks::Dependencies{loop_, clock_, ids_, *journal_, host_, *notifier_});
    const absl::Status started = loop_.RunUntilDone(tasks_->Start());
    ASSERT_TRUE(started.ok()) << started;
  }
  // Its end.
  void Stop() {
    if (!tasks_) return;
    loop_.RunUntilDone([](Tasks* tasks) -> io::Task<int> {
      co_await tasks->Stop();
      co_return 0;
    }(&*tasks_));
    tasks_.reset();
    notifier_.reset();
    journal_.reset();
    store_->Close();
    store_.reset();
  }
  // Lets the loop run until `done`, or 10 s.
  bool Until(std::function<bool()> done) {
    return loop_.RunUntilDone([](io::Loop* loop, std::function<bool()> check) -> io::Task<bool> {
      for (int i = 0; i < 2000 && !check(); ++i) {
        (void)co_await loop->SleepUntil(std::chrono::steady_clock::now() + 5ms, {});
      }
      co_return check();
    }(&loop_, std::move(done)));
  }
  bool Ran(std::size_t times) {
    return Until([&] { return runs_.size() == times && !tasks_->List().at(0).running; });
  }
  TaskState State() { return tasks_->List().at(0).state; }

  io::Loop loop_;
  StillClock clock_;
  RandomIdSource ids_;
  test::TempFolder folder_{test::Where::kMemory};
  test::FakePluginHost host_;
  std::vector<v1::RunTaskRequest> runs_;
  std::vector<v1::NotifyRequest> notes_;
  v1::RunTaskResponse report_;
  absl::Status failure_;
  std::unique_ptr<store::Store> store_;
  std::optional<journal::Journal> journal_;
  std::optional<plugin::Notifier> notifier_;
  std::optional<Tasks> tasks_;
};

TEST_F(TasksTest, ANewTaskIsDueAfterItsTimeAndAtStartAtOnce) {
  Start();
  EXPECT_EQ(State().due, clock_.now + 1h);
  EXPECT_EQ(runs_.size(), 0U);
  Stop();
  task().at_start = true;
  report_.set_summary("all well\nmore");
  Start();
  ASSERT_TRUE(Ran(1));
  EXPECT_EQ(runs_[0].task(), "look");
  EXPECT_EQ(runs_[0].last_run_at_ms(), 0);
  EXPECT_EQ(State().last_summary, "all well");
  EXPECT_EQ(State().last_run, clock_.now);
  EXPECT_EQ(State().due, clock_.now + 1h);
}

TEST_F(TasksTest, ARestartNeitherForgetsNorDoubles) {
  task().at_start = true;
  Start();
  ASSERT_TRUE(Ran(1));
  const WallTime due = State().due;
  Stop();
  task().at_start = false;
  clock_.now += 30min;
  Start();
  EXPECT_EQ(State().due, due);
  EXPECT_EQ(State().last_run, clock_.now - 30min);
  Stop();
  EXPECT_THAT(runs_, SizeIs(1));
}

TEST_F(TasksTest, WhatWasMissedRunsOnce) {
  Start();
  const WallTime due = State().due;
  Stop();
  clock_.now += 5h;
  Start();
  ASSERT_TRUE(Ran(1));
  EXPECT_EQ(runs_[0].due_at_ms(),
            std::chrono::duration_cast<std::chrono::milliseconds>(due.time_since_epoch()).count());
  EXPECT_EQ(State().due, clock_.now + 1h);
}

TEST_F(TasksTest, ARunThatWasBrokenOffIsDoneAgainUnderItsId) {
  task().at_start = true;
  host_.hangs = true;
  Start();
  ASSERT_TRUE(Until([&] { return host_.calls == 1; }));
  const std::string id = State().run_id;
  EXPECT_NE(id, "");
  Stop();
  task().at_start = false;
  host_.hangs = false;
  Start();
  ASSERT_TRUE(Ran(1));
  EXPECT_EQ(runs_[0].run_id(), id);
  EXPECT_EQ(State().run_id, "");
}

TEST_F(TasksTest, WhatATaskHasToTellIsBroughtToThePerson) {
  task().at_start = true;
  report_.set_notify_title("Disk");
  report_.set_notify_text("It is full.");
  report_.set_next_after_ms(600'000);
  Start();
  ASSERT_TRUE(Ran(1));
  ASSERT_THAT(notes_, SizeIs(1));
  EXPECT_EQ(notes_[0].id(), runs_[0].run_id());
  EXPECT_EQ(notes_[0].text(), "It is full.");
  EXPECT_EQ(State().due, clock_.now + 10min) << "once instead of its time";
}

TEST_F(TasksTest, ATimerActsForThePersonAndByNobodysHand) {
  report_.set_notify_text("disk nearly full");
  task().at_start = true;
  Start();
  ASSERT_TRUE(Ran(1));
  ASSERT_THAT(host_.callers, SizeIs(2));  // the task, and what it has to tell
  for (const Principal& caller : host_.callers) {
    EXPECT_TRUE(IsDerived(caller)) << caller.origin;
    EXPECT_EQ(caller.origin, "daemon>timer:files/look");
    EXPECT_EQ(caller.user, Principal().user);
  }
}

TEST_F(TasksTest, AFailureIsNotedAndItIsDueAgain) {
  task().at_start = true;
  failure_ = Unavailable("plugin 'files': RunTask: it has crashed");
  Start();
  ASSERT_TRUE(Ran(1));
  EXPECT_FALSE(State().last_ok);
  EXPECT_THAT(State().last_summary, HasSubstr("it has crashed"));
  EXPECT_EQ(State().due, clock_.now + 1h);
  EXPECT_EQ(State().run_id, "");
}

TEST_F(TasksTest, SwitchedOffMeansNotRun) {
  task().at_start = true;
  task().enabled = false;
  AddTask({.name = "other", .every = 1h, .at_start = true, .timeout = 10s});
  Start();
  ASSERT_TRUE(Until([&] { return runs_.size() == 1; }));
  EXPECT_EQ(runs_[0].task(), "other");
}

TEST_F(TasksTest, AShorterTimeCountsFromNow) {
  Start();
  Stop();
  task().every = 10min;
  Start();
  EXPECT_EQ(State().due, clock_.now + 10min);
}

TEST_F(TasksTest, TheTimerFires) {
  task().every = 1s;
  Start();
  EXPECT_EQ(runs_.size(), 0U);
  // The loop's timer is armed for a second from now; the wall clock has come that far by then.
  clock_.now += 1s;
  EXPECT_TRUE(Ran(1));
}

}  // namespace
}  // namespace talon::trigger
