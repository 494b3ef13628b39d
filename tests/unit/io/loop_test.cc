// SPDX-License-Identifier: Apache-2.0
#include "io/loop.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "io/nursery.h"
#include "tests/support/child.h"
#include "tests/support/voluntary_switches.h"

namespace talon::io {
namespace {

using std::chrono::milliseconds;

SteadyTime After(milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

TEST(LoopTest, PostFromAnotherThreadRunsOnTheLoop) {
  Loop loop;
  bool on_loop = false;
  std::thread poster([&] {
    loop.Post([&] {
      on_loop = loop.OnLoopThread();
      loop.Stop();
    });
  });
  loop.Run();
  poster.join();
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.OnLoopThread());
}

TEST(LoopTest, RunMayBeCalledAgain) {
  Loop loop;
  for (int i = 0; i < 3; ++i) {
    bool ran = false;
    loop.Post([&] {
      ran = true;
      loop.Stop();
    });
    loop.Run();
    EXPECT_TRUE(ran);
  }
}

TEST(LoopTest, BlockingRunsElsewhereAndReturnsTheResult) {
  Loop loop;
  const auto task = [](Loop& l) -> Task<std::thread::id> {
    co_return co_await l.Blocking([] { return std::this_thread::get_id(); });
  };
  EXPECT_NE(loop.RunUntilDone(task(loop)), std::this_thread::get_id());
}

TEST(LoopTest, BlockingRunsHereWhereNoThreadCanBeStarted) {
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "its own threads need the machine's";
#endif
  EXPECT_EQ(test::RunInChild([]() -> std::string {
              if (getuid() == 0 && setuid(65'533) != 0) return "setuid failed";
              const rlimit none{.rlim_cur = 0, .rlim_max = 0};
              if (setrlimit(RLIMIT_NPROC, &none) != 0) return "setrlimit failed";
              Loop loop;
              const auto task = [](Loop& l) -> Task<std::thread::id> {
                co_return co_await l.Blocking([] { return std::this_thread::get_id(); });
              };
              return loop.RunUntilDone(task(loop)) == std::this_thread::get_id() ? "" : "elsewhere";
            }),
            "");
}

TEST(LoopTest, BlockingUsesAtMostTheGivenThreads) {
  Loop loop(2);
  std::mutex mutex;
  int now = 0;
  int most = 0;
  const auto one = [&](Loop& l, int* done) -> Task<void> {
    co_await l.Blocking([&] {
      {
        const std::lock_guard lock(mutex);
        most = std::max(most, ++now);
      }
      std::this_thread::yield();
      const std::lock_guard lock(mutex);
      --now;
      return true;
    });
    if (++*done == 50) l.Stop();
  };
  int done = 0;
  for (int i = 0; i < 50; ++i) loop.Spawn(one(loop, &done));
  loop.Run();
  EXPECT_EQ(done, 50);
  EXPECT_LE(most, 2);
}

TEST(LoopTest, BlockingWorkRunsInParallel) {
  Loop loop(2);
  std::mutex mutex;
  std::condition_variable met;
  int present = 0;
  const auto meet = [&] {
    std::unique_lock lock(mutex);
    ++present;
    met.notify_all();
    return met.wait_for(lock, std::chrono::seconds(30), [&] { return present == 2; });
  };
  int ok = 0;
  const auto one = [&](Loop& l) -> Task<void> {
    if (co_await l.Blocking(meet)) ++ok;
    if (ok == 2) l.Stop();
  };
  loop.Spawn(one(loop));
  loop.Spawn(one(loop));
  loop.Run();
  EXPECT_EQ(ok, 2);
}

TEST(LoopTest, TimersRunInOrderAndCancelledOnesDoNot) {
  Loop loop;
  std::vector<int> ran;
  loop.CallAt(After(milliseconds(20)), [&] {
    ran.push_back(3);
    loop.Stop();
  });
  loop.CallAt(After(milliseconds(10)), [&] { ran.push_back(2); });
  const TimerId dropped = loop.CallAt(After(milliseconds(5)), [&] { ran.push_back(9); });
  loop.CallAt(After(milliseconds(-5)), [&] {
    ran.push_back(1);
    loop.CancelTimer(dropped);
  });
  loop.CallAt(SteadyTime::max(), [&] { ran.push_back(8); });
  loop.Run();
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
}

// Seconds until the kernel wakes the loop for its earliest timer; the process has one loop.
long SecondsToAlarm() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string word; info >> word;) {
      char bracket = 0;
      long seconds = -1;
      if (word == "it_value:" && info >> bracket >> seconds) return seconds;
    }
  }
  return -1;
}

TEST(LoopTest, ACancelledTimerWakesNobodyLater) {
  Loop loop;
  loop.Post([&] {
    const TimerId late = loop.CallAt(After(std::chrono::seconds(600)), [] {});
    const TimerId early = loop.CallAt(After(std::chrono::seconds(15)), [] {});
    EXPECT_LE(SecondsToAlarm(), 15);
    loop.CancelTimer(early);
    EXPECT_GT(SecondsToAlarm(), 500);
    loop.CancelTimer(late);
    EXPECT_EQ(SecondsToAlarm(), 0) << "disarmed";
    loop.Stop();
  });
  loop.Run();
}

TEST(LoopTest, ATimerThatRearmsItselfDoesNotStarveOthers) {
  Loop loop;
  int rounds = 0;
  std::function<void()> again = [&] {
    ++rounds;
    loop.CallAt(After(milliseconds(-1)), again);
  };
  again();
  loop.CallAt(After(milliseconds(-1)), [&] { loop.Post([&] { loop.Stop(); }); });
  loop.Run();
  EXPECT_GE(rounds, 1);
}

TEST(LoopTest, SleepUntilReturnsOkAtItsTime) {
  Loop loop;
  const SteadyTime until = After(milliseconds(5));
  EXPECT_TRUE(loop.RunUntilDone(loop.SleepUntil(until, {})).ok());
  EXPECT_GE(std::chrono::steady_clock::now(), until);
}

TEST(LoopTest, SleepUntilEndsAtTheDeadline) {
  Loop loop;
  CallContext context;
  context.deadline = After(milliseconds(5));
  const auto status = loop.RunUntilDone(loop.SleepUntil(SteadyTime::max(), context));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(LoopTest, SleepUntilEndsOnCancel) {
  Loop loop;
  CancelSource source;
  CallContext context;
  context.cancel = source.token();
  loop.CallAt(After(milliseconds(1)), [&] { source.Cancel(absl::AbortedError("enough")); });
  const auto status = loop.RunUntilDone(loop.SleepUntil(SteadyTime::max(), context));
  EXPECT_EQ(status, absl::AbortedError("enough"));
  // And at once when it was cancelled before.
  EXPECT_EQ(loop.RunUntilDone(loop.SleepUntil(SteadyTime::max(), context)).code(),
            absl::StatusCode::kAborted);
}

TEST(LoopTest, DiesWithSleepersAndWorkers) {
  CancelSource source;
  Loop loop;
  bool woke = false;
  const auto sleeper = [](Loop& l, CancelToken cancel, bool* out) -> Task<void> {
    CallContext context;
    context.cancel = cancel;
    (void)co_await l.SleepUntil(SteadyTime::max(), context);
    *out = true;
  };
  loop.Spawn(sleeper(loop, source.token(), &woke));
  loop.Spawn([](Loop& l) -> Task<void> {
    (void)co_await l.Blocking([] { return std::string("late"); });
  }(loop));
  loop.Post([&] { loop.Post([&] { loop.Stop(); }); });
  loop.Run();
  EXPECT_FALSE(woke);
}

TEST(LoopTest, WaitingCostsOneWakeUp) {
  Loop loop;
  const auto wait = [](Loop& l) -> Task<long> {
    (void)co_await l.SleepUntil(After(milliseconds(1)), {});
    const long before = VoluntarySwitches();
    (void)co_await l.SleepUntil(After(milliseconds(200)), {});
    co_return VoluntarySwitches() - before;
  };
  EXPECT_LE(loop.RunUntilDone(wait(loop)), 2);
}

TEST(OneShotTest, ValueSetBeforeAndAfterTheWait) {
  Loop loop;
  const auto wait = [](OneShot<std::string>* shot) -> Task<std::string> {
    co_return co_await shot->Wait();
  };
  OneShot<std::string> before;
  before.Set("a");
  before.Set("ignored");
  EXPECT_TRUE(before.is_set());
  EXPECT_EQ(loop.RunUntilDone(wait(&before)), "a");
  OneShot<std::string> after;
  loop.CallAt(After(milliseconds(1)), [&] {
    after.Set("b");
    after.Set("ignored");
  });
  EXPECT_EQ(loop.RunUntilDone(wait(&after)), "b");
}

TEST(OneShotTest, TheWaiterResumesFromTheLoopNotInsideSet) {
  Loop loop;
  auto shot = std::make_unique<OneShot<std::unique_ptr<int>>>();  // move-only values too
  bool resumed = false;
  loop.Spawn([](Loop& l, OneShot<std::unique_ptr<int>>* s, bool* out) -> Task<void> {
    *out = *co_await s->Wait() == 7;
    l.Stop();
  }(loop, shot.get(), &resumed));
  loop.CallAt(After(milliseconds(1)), [&] {
    shot->Set(std::make_unique<int>(7));
    EXPECT_FALSE(resumed);
  });
  loop.Run();
  EXPECT_TRUE(resumed);
}

TEST(NurseryTest, JoinWaitsForAllAndForWhatTheySpawn) {
  Loop loop;
  int ended = 0;
  const auto run = [](Loop& l, int* count) -> Task<bool> {
    Nursery nursery(l);
    const auto child = [](Loop& inner, int* out) -> Task<void> {
      (void)co_await inner.SleepUntil(After(milliseconds(1)), {});
      ++*out;
    };
    const auto parent = [child](Loop& inner, Nursery* n, int* out) -> Task<void> {
      (void)co_await inner.SleepUntil(After(milliseconds(1)), {});
      n->Spawn(child(inner, out));
      ++*out;
    };
    for (int i = 0; i < 3; ++i) nursery.Spawn(parent(l, &nursery, count));
    EXPECT_EQ(nursery.live(), 3u);
    co_await nursery.Join();
    EXPECT_EQ(nursery.live(), 0u);
    co_await nursery.Join();  // nothing to wait for
    co_return true;
  };
  EXPECT_TRUE(loop.RunUntilDone(run(loop, &ended)));
  EXPECT_EQ(ended, 6);
}

TEST(NurseryTest, SpawnDoesNotStartInsideTheCall) {
  Loop loop;
  const auto run = [](Loop& l) -> Task<bool> {
    Nursery nursery(l);
    bool started = false;
    nursery.Spawn([](bool* out) -> Task<void> {
      *out = true;
      co_return;
    }(&started));
    const bool inside = started;
    co_await nursery.Join();
    co_return !inside && started;
  };
  EXPECT_TRUE(loop.RunUntilDone(run(loop)));
}

TEST(NurseryDeathTest, DyingWithLiveTasksEndsTheProcess) {
  EXPECT_DEATH(
      {
        Loop loop;
        Nursery nursery(loop);
        nursery.Spawn([]() -> Task<void> { co_return; }());
      },
      "live");
}

TEST(LoopDeathTest, AThrowingTaskEndsTheProcess) {
  EXPECT_DEATH(
      {
        Loop loop;
        loop.Spawn([]() -> Task<void> {
          throw std::runtime_error("boom");
          co_return;
        }());
        loop.Run();
      },
      "");
}

}  // namespace
}  // namespace talon::io
