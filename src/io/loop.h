// SPDX-License-Identifier: Apache-2.0
// The event loop: one thread that runs every coroutine, and a few workers for what blocks. With
// nothing due it makes no wake-up. Owned by daemon/ (or a test). Post() from any thread; everything
// else on the loop's thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/one_shot.h"
#include "io/task.h"

namespace boost::asio {
class io_context;
}

namespace talon::io {

// Names a timer of Loop::CallAt.
struct TimerId {
  SteadyTime at{};
  std::uint64_t number = 0;  // 0 = none
  auto operator<=>(const TimerId&) const = default;
};

class Loop {
 public:
  // `worker_threads`: most threads that run Blocking() work at once. They start on demand and end
  // after 10 s without work.
  explicit Loop(std::size_t worker_threads = 2);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs on the calling thread until Stop(). May be called again afterwards.
  void Run();
  // Any thread. Run() returns after the callback under way.
  void Stop();
  // Any thread. Runs `work` later, on the loop.
  void Post(absl::AnyInvocable<void()> work);
  // Starts `task` on the loop; it is owned by the loop until it ends. For tasks that a Nursery does
  // not fit (the process's main task). Exceptions end the process: tasks must not throw.
  void Spawn(Task<void> task);
  // Runs `task` to its end on the calling thread (tests, simple CLI commands).
  template <class T>
  T RunUntilDone(Task<T> task);

  // Waits until `until`; Cancelled or DeadlineExceeded when `context` ends first.
  Task<absl::Status> SleepUntil(SteadyTime until, CallContext context);

  // Runs `work` on the loop once `at` has come (never, for SteadyTime::max()). Timers share one
  // timerfd that is armed for the earliest only; Asio's own timers, once used, wake the process
  // every 5 minutes for ever, so prefer these.
  TimerId CallAt(SteadyTime at, absl::AnyInvocable<void()> work);
  // Drops a timer; nothing happens when it ran already.
  void CancelTimer(TimerId id);

  // Runs `work` on a worker thread and resumes on the loop with its result.
  template <class F>
  auto Blocking(F work) -> Task<decltype(work())>;

  // The soft limit of descriptors that children are started with; 0: that of this process. See
  // descriptor_limit.h.
  void SetChildDescriptors(std::uint64_t limit) { child_descriptors_ = limit; }
  std::uint64_t child_descriptors() const { return child_descriptors_; }

  // True on the thread inside Run().
  bool OnLoopThread() const;
  boost::asio::io_context& context();

 private:
  struct State;
  void RunOnWorker(absl::AnyInvocable<void()> work);
  std::unique_ptr<State> state_;
  std::uint64_t child_descriptors_ = 0;
};

template <class F>
auto Loop::Blocking(F work) -> Task<decltype(work())> {
  using Result = decltype(work());
  // The work owns what this coroutine waits on, so that a loop that dies takes both.
  auto done = std::make_shared<OneShot<Result>>();
  OneShot<Result>& result = *done;
  RunOnWorker([this, done = std::move(done), work = std::move(work)]() mutable {
    Post([done = std::move(done), value = std::make_shared<Result>(work())]() mutable {
      done->Set(std::move(*value));
    });
  });
  co_return co_await result.Wait();
}

template <class T>
T Loop::RunUntilDone(Task<T> task) {
  std::optional<T> result;
  Spawn([](Loop* loop, Task<T> inner, std::optional<T>* out) -> Task<void> {
    out->emplace(co_await std::move(inner));
    loop->Stop();
  }(this, std::move(task), &result));
  Run();
  return *std::move(result);
}

}  // namespace talon::io
