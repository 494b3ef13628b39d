// SPDX-License-Identifier: Apache-2.0
#include "io/worker_pool.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <system_error>
#include <utility>

namespace talon::io {
namespace {

constexpr std::chrono::seconds kIdleTime{10};

// Blocks every signal while it lives: threads inherit the mask of who starts them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void JoinAll(std::list<std::thread>& threads) {
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

}  // namespace

WorkerPool::WorkerPool(std::size_t max_threads)
    : max_threads_(max_threads == 0 ? 1 : max_threads) {}

WorkerPool::~WorkerPool() {
  std::deque<absl::AnyInvocable<void()>> dropped;  // dies without the lock: it may call Add
  std::unique_lock lock(mutex_);
  stopping_ = true;
  dropped.swap(queue_);
  changed_.notify_all();
  changed_.wait(lock, [this] { return threads_.empty(); });
  lock.unlock();
  JoinAll(ended_);
}

void WorkerPool::Add(absl::AnyInvocable<void()> work) {
  std::list<std::thread> ended;
  absl::AnyInvocable<void()> here;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ended.swap(ended_);
    queue_.push_back(std::move(work));
    if (queue_.size() > idle_ && threads_.size() < max_threads_ && !Start() && threads_.empty()) {
      here = std::move(queue_.back());
      queue_.pop_back();
    }
    changed_.notify_one();
  }
  JoinAll(ended);
  if (here) here();
}

bool WorkerPool::Start() {
  const SignalsBlocked blocked;
  const auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self] { Work(self); });
    return true;
  } catch (const std::system_error&) {
    threads_.erase(self);
    return false;
  }
}

void WorkerPool::Work(std::list<std::thread>::iterator self) {
  ::pthread_setname_np(::pthread_self(), "talon-worker");
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait_for(lock, kIdleTime, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (stopping_ || queue_.empty()) break;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
  ended_.splice(ended_.end(), threads_, self);
  // Under the lock: the pool may be gone right after it.
  changed_.notify_all();
}

}  // namespace talon::io
