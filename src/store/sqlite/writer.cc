// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/writer.h"

#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"

namespace talon::store {
namespace {

constexpr std::int64_t kPageBytes = 4096;

std::int64_t Pages(Bytes size) {
  return static_cast<std::int64_t>(size.value) / kPageBytes;
}

// What takes longer to write than a hop to the thread and back.
constexpr std::size_t kLoopBytes = 128 << 10;

bool IsShort(const Batch& batch) {
  std::size_t bytes = 0;
  for (const Write& write : batch) {
    if (write.many_rows) return false;
    for (const Value& value : write.params) {
      if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
      if (const auto* blob = std::get_if<Blob>(&value)) bytes += blob->bytes.size();
    }
  }
  return bytes <= kLoopBytes;
}

}  // namespace

Writer::Writer(io::Loop& loop, std::unique_ptr<Connection> connection, const StoreOptions& options)
    : loop_(loop),
      max_queued_(options.max_queued_batches),
      checkpoint_pages_(Pages(options.checkpoint_at)),
      max_log_pages_(Pages(options.max_log)),
      later_delay_(options.later_delay),
      syncs_(options.durability == Durability::kPower),
      connection_(std::move(connection)) {}

Writer::~Writer() {
  Stop();
}

absl::Status Writer::Start() {
  // Signals are for the main thread; a thread inherits the mask of its creator.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  absl::Status status;
  try {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "talon-writer");
  } catch (const std::system_error& error) {
    status = ErrnoToStatus(error.code().value(), "store: start the writer thread");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

absl::Status Writer::Add(Batch batch, std::shared_ptr<Done> done) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Unavailable("store: commit: the store is closed");
    if (queue_.size() >= max_queued_) {
      return ResourceExhausted(fmt::format(
          "store: commit: {} batches wait already (store.max_queued_batches)", queue_.size()));
    }
    const bool waited_for = done != nullptr;
    const bool at_once = waited_for && syncs_;
    const bool known = !queue_.empty() && (handed_over_ || !at_once);  // to the thread
    queue_.push_back({std::move(batch), std::move(done), absl::OkStatus()});
    waited_for_ += waited_for ? 1 : 0;
    handed_over_ |= at_once;
    if (waited_for && !syncs_) {
      if (std::exchange(round_posted_, true)) return absl::OkStatus();
      loop_.Post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->FlushRound();
      });
      return absl::OkStatus();
    }
    if (known) return absl::OkStatus();
  }
  work_.notify_one();
  return absl::OkStatus();
}

void Writer::FlushRound() {
  round_posted_ = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return;
    const bool committed = CommitOnLoop();
    if (committed && connection_->wal_pages() < checkpoint_pages_) return;
    handed_over_ = true;
  }
  work_.notify_one();
}

bool Writer::CommitOnLoop() {
  if (busy_ || stopping_ || waited_for_ > 1) return false;
  if (connection_->wal_pages() >= checkpoint_pages_) return false;
  if (!std::ranges::all_of(queue_, [](const Job& job) { return IsShort(job.batch); })) return false;
  connection_->SetPatient(false);
  const bool begun = connection_->Execute("begin").ok();
  connection_->SetPatient(true);
  if (!begun) return false;
  std::vector<Job> jobs = std::exchange(queue_, {});
  waited_for_ = 0;
  if (absl::Status group = RunGroup(jobs); !group.ok()) Settle(jobs, std::move(group));
  on_loop_.fetch_add(1, std::memory_order_relaxed);
  Report(std::move(jobs));
  return true;
}

void Writer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
  connection_.reset();  // the last connection to close checkpoints and removes the log
}

StoreStats Writer::stats() const {
  return {.batches = batches_.load(std::memory_order_relaxed),
          .commits = commits_.load(std::memory_order_relaxed),
          .on_loop = on_loop_.load(std::memory_order_relaxed),
          .refused = refused_.load(std::memory_order_relaxed)};
}

void Writer::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stopping_ || handed_over_ || !queue_.empty(); });
    work_.wait_for(lock, later_delay_, [this] { return stopping_ || handed_over_; });
    if (stopping_ && queue_.empty()) return;
    if (!handed_over_ && queue_.empty()) continue;  // the loop was first
    std::vector<Job> jobs = std::exchange(queue_, {});
    waited_for_ = 0;
    handed_over_ = false;
    busy_ = true;
    lock.unlock();
    if (!jobs.empty()) {
      Commit(jobs);
      Report(std::move(jobs));
    }
    CheckpointIfDue();
    lock.lock();
    busy_ = false;
  }
}

void Writer::Commit(std::vector<Job>& jobs) {
  if (absl::Status group = TryGroup(jobs); !group.ok()) Settle(jobs, std::move(group));
}

void Writer::Settle(std::vector<Job>& jobs, absl::Status group) {
  if (jobs.size() == 1) {
    jobs.front().outcome = std::move(group);
    return;
  }
  // One batch too large for the disk must not take the others with it: each on its own.
  for (Job& job : jobs) {
    std::vector<Job> alone;
    alone.push_back(std::move(job));
    absl::Status single = TryGroup(alone);
    job = std::move(alone.front());
    if (!single.ok()) job.outcome = std::move(single);
  }
}

absl::Status Writer::TryGroup(std::vector<Job>& jobs) {
  TALON_RETURN_IF_ERROR(connection_->Execute("begin").status());
  return RunGroup(jobs);
}

absl::Status Writer::RunGroup(std::vector<Job>& jobs) {
  const bool grouped = jobs.size() > 1;
  std::uint64_t good = 0;
  absl::Status status;
  for (Job& job : jobs) {
    if (grouped) status = connection_->Execute("savepoint").status();
    if (status.ok()) {
      job.outcome = RunBatch(job.batch);
      if (job.outcome.ok()) ++good;
      // What ends the whole transaction is not this batch's error alone.
      if (!connection_->InTransaction()) status = job.outcome;
    }
    if (status.ok() && grouped) {
      if (!job.outcome.ok()) status = connection_->Execute("savepoint_rollback").status();
      if (status.ok()) status = connection_->Execute("savepoint_release").status();
    }
    if (!status.ok()) break;
  }
  if (status.ok() && good > 0) status = connection_->Execute("commit").status();
  if (connection_->InTransaction()) {
    const absl::Status undone = connection_->Execute("rollback").status();
    if (status.ok()) status = undone;
  }
  if (status.ok() && good > 0) {
    batches_.fetch_add(good, std::memory_order_relaxed);
    commits_.fetch_add(1, std::memory_order_relaxed);
  }
  return status;
}

absl::Status Writer::RunBatch(const Batch& batch) {
  for (const Write& write : batch) {
    const absl::StatusOr<std::int64_t> changed =
        connection_->Execute(write.statement, write.params);
    if (!changed.ok()) return changed.status();
    if (write.expect_change && *changed == 0) {
      return MakeError(absl::StatusCode::kAlreadyExists, ErrorReason::kDuplicate,
                       fmt::format("store: {}: changed nothing", write.statement));
    }
  }
  return absl::OkStatus();
}

void Writer::Report(std::vector<Job> jobs) {
  std::vector<std::pair<std::shared_ptr<Done>, absl::Status>> outcomes;
  outcomes.reserve(jobs.size());
  for (Job& job : jobs) {
    if (!job.outcome.ok()) refused_.fetch_add(1, std::memory_order_relaxed);
    if (job.done != nullptr) {
      outcomes.emplace_back(std::move(job.done), std::move(job.outcome));
    } else if (!job.outcome.ok()) {
      log::Error(
          "a batch nobody waits for was not stored",
          {{"reason", ErrorReasonName(ReasonOf(job.outcome))}, {"error", Message(job.outcome)}});
    }
  }
  if (outcomes.empty()) return;
  loop_.Post([outcomes = std::move(outcomes)]() mutable {
    for (auto& [done, outcome] : outcomes) done->Set(std::move(outcome));
  });
}

void Writer::CheckpointIfDue() {
  const std::int64_t pages = connection_->wal_pages();
  if (pages < checkpoint_pages_) return;
  if (pages < max_log_pages_) {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty()) return;
  }
  const absl::Status status = connection_->Checkpoint();
  if (!status.ok()) log::Error("the checkpoint failed", {{"error", Message(status)}});
}

}  // namespace talon::store
