// SPDX-License-Identifier: Apache-2.0
// The thread `talon-writer`: it sleeps on a condition variable and, woken, takes every batch that
// waits into one transaction with one sync. Batches nobody waits for let others go first, so that
// they cost no sync of their own. Add() from the event loop's thread; Create() and Stop()
// block.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "io/one_shot.h"
#include "store/options.h"
#include "store/sqlite/connection.h"
#include "store/store.h"

namespace talon::store {

class Writer {
 public:
  using Done = io::OneShot<absl::Status>;

  // `loop` must run or be left alone until Stop() has returned, and outlive this.
  Writer(io::Loop& loop, std::unique_ptr<Connection> connection, const StoreOptions& options);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Starts the thread.
  absl::Status Start();
  // Queues a batch. `done`, unless null, is set on the loop with the outcome; without it an error
  // is logged. ResourceExhausted when the queue is full, Unavailable after Stop().
  absl::Status Add(Batch batch, std::shared_ptr<Done> done);
  // Commits what is queued, checkpoints, closes the connection, ends the thread. Idempotent.
  void Stop();
  StoreStats stats() const;

 private:
  struct Job {
    Batch batch;
    std::shared_ptr<Done> done;  // shared with the waiting coroutine, which may be destroyed first
    absl::Status outcome;
  };

  void Run();
  void Commit(std::vector<Job>& jobs);
  // One transaction for all. An error is the transaction's: then no job's batch is in the store.
  absl::Status TryGroup(std::vector<Job>& jobs);
  absl::Status RunBatch(const Batch& batch);
  void Report(std::vector<Job> jobs);
  void CheckpointIfDue();

  io::Loop& loop_;
  const std::uint64_t max_queued_;
  const std::int64_t checkpoint_pages_;
  const std::int64_t max_log_pages_;
  const std::chrono::milliseconds later_delay_;

  // Confined to the writer's thread once it runs.
  std::unique_ptr<Connection> connection_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::vector<Job> queue_;  // guarded by mutex_
  bool urgent_ = false;     // guarded by mutex_: somebody waits for one of the queue
  bool stopping_ = false;   // guarded by mutex_

  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace talon::store
