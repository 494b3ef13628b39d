// SPDX-License-Identifier: Apache-2.0
// Threads for work that blocks: started on demand, ended after 10 s without work. Part of Loop.
// Where the machine allows no thread, work waits for one that runs; without any, Add() does it.
// Add() from any thread. Threads are named "talon-worker" and take no signals.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "absl/functional/any_invocable.h"

namespace talon::io {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t max_threads);
  // Waits for the work under way; what is queued is dropped.
  ~WorkerPool();
  void Add(absl::AnyInvocable<void()> work);

 private:
  // One thread more, under the lock; false: the machine allows none.
  bool Start();
  void Work(std::list<std::thread>::iterator self);

  const std::size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<absl::AnyInvocable<void()>> queue_;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  // to be joined
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace talon::io
