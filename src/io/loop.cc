// SPDX-License-Identifier: Apache-2.0
#include "io/loop.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <exception>

#include "io/task_end.h"
#include "io/timer_queue.h"
#include "io/worker_pool.h"

namespace talon::io {

// Order of death: what sleeps, the workers (they post), the context with every coroutine that still
// waits; those may touch the timers, so their map goes last.
struct Loop::State {
  explicit State(std::size_t worker_threads) : workers(worker_threads) { timers.Open(context); }
  ~State() { timers.Close(); }
  TimerQueue timers;
  boost::asio::io_context context{1};
  WorkerPool workers;
};

Loop::Loop(std::size_t worker_threads) : state_(std::make_unique<State>(worker_threads)) {}
Loop::~Loop() = default;

void Loop::Run() {
  const auto keep_running = boost::asio::make_work_guard(state_->context);
  state_->context.restart();
  // An exception out of a callback ends the process here, with its type in the message.
  [this]() noexcept { state_->context.run(); }();
}

void Loop::Stop() {
  state_->context.stop();
}

void Loop::Post(absl::AnyInvocable<void()> work) {
  boost::asio::post(state_->context, std::move(work));
}

void Loop::Spawn(Task<void> task) {
  Post([this, task = std::move(task)]() mutable {
    boost::asio::co_spawn(state_->context, std::move(task), EndProcessOnException);
  });
}

TimerId Loop::CallAt(SteadyTime at, absl::AnyInvocable<void()> work) {
  return state_->timers.Add(at, std::move(work));
}

void Loop::CancelTimer(TimerId id) {
  state_->timers.Cancel(id);
}

Task<absl::Status> Loop::SleepUntil(SteadyTime until, CallContext context) {
  if (context.cancel.cancelled()) co_return context.cancel.status();
  const SteadyTime end = std::min(until, context.deadline);
  if (end > std::chrono::steady_clock::now()) {
    TimerQueue& timers = state_->timers;
    TimerId id;
    CancelRegistration registration;
    // The handler, and with it this coroutine, is owned by the timer until it fires.
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
        [&](auto handler) {
          id = timers.Add(end, [handler = std::move(handler)]() mutable {
            auto executor = boost::asio::get_associated_executor(handler);
            boost::asio::post(executor, std::move(handler));
          });
          registration = context.cancel.OnCancel([&timers, &id] { timers.FireNow(id); });
        },
        boost::asio::use_awaitable);
    if (context.cancel.cancelled()) co_return context.cancel.status();
  }
  if (until <= context.deadline) co_return absl::OkStatus();
  co_return absl::DeadlineExceededError("sleep: the deadline came first");
}

bool Loop::OnLoopThread() const {
  return state_->context.get_executor().running_in_this_thread();
}

boost::asio::io_context& Loop::context() {
  return state_->context;
}

void Loop::RunOnWorker(absl::AnyInvocable<void()> work) {
  state_->workers.Add(std::move(work));
}

}  // namespace talon::io
