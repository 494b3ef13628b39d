// SPDX-License-Identifier: Apache-2.0
// Commits batches in groups. The thread `talon-writer` sleeps on a condition variable and, woken,
// takes every batch that waits into one transaction with one sync. Batches nobody waits for let
// others go first, so that they cost no sync of their own.
//
// Where a commit does not sync (durability `process`), handing one over costs more than doing it:
// a batch that is alone at the end of the loop's round, while the thread sleeps, is committed on
// the loop. What may take long or wait for the disk or for another process stays the thread's:
// groups, long batches, checkpoints, the commits from a log that is due for one until it starts
// anew (that syncs its head), and the database when somebody else holds it.
//
// Add() from the event loop's thread; Start() and Stop() block.
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

class Writer : public std::enable_shared_from_this<Writer> {
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
  // On the loop, at the end of the round in which the first batch came.
  void FlushRound();
  // False: they are the thread's. mutex_ is held, so that it does not take the connection.
  bool CommitOnLoop();
  void Commit(std::vector<Job>& jobs);
  // After `group`, the error of the transaction of all.
  void Settle(std::vector<Job>& jobs, absl::Status group);
  // One transaction for all. An error is the transaction's: then no job's batch is in the store.
  absl::Status TryGroup(std::vector<Job>& jobs);
  // The same, once it has begun.
  absl::Status RunGroup(std::vector<Job>& jobs);
  absl::Status RunBatch(const Batch& batch);
  void Report(std::vector<Job> jobs);
  void CheckpointIfDue();

  io::Loop& loop_;
  const std::uint64_t max_queued_;
  const std::int64_t checkpoint_pages_;
  const std::int64_t max_log_pages_;
  const std::chrono::milliseconds later_delay_;
  const bool syncs_;  // each commit

  // The thread's while `busy_`, else of who holds mutex_.
  std::unique_ptr<Connection> connection_;
  bool round_posted_ = false;  // confined to the loop

  mutable std::mutex mutex_;  // of all below
  std::condition_variable work_;
  std::vector<Job> queue_;
  std::size_t waited_for_ = 0;  // of the queue
  bool handed_over_ = false;    // the thread has something to do at once
  bool busy_ = false;           // the thread uses the connection
  bool stopping_ = false;

  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> on_loop_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace talon::store
