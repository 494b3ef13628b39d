// SPDX-License-Identifier: Apache-2.0
// Queries on one read-only connection. They run one after another on a worker of the loop, as many
// at a hop as wait. Read() on the event loop's thread; Close() blocks.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "store/sqlite/connection.h"
#include "store/store.h"

namespace talon::store {

// Shared with the task that drains its queue, which may outlive the store.
class Reader : public std::enable_shared_from_this<Reader> {
 public:
  Reader(io::Loop& loop, std::unique_ptr<Connection> connection)
      : loop_(loop), connection_(std::move(connection)) {}

  io::Task<absl::StatusOr<Rows>> Read(std::string_view statement, std::vector<Value> params);
  // Waits for the query under way; later ones are refused with Unavailable. Idempotent.
  void Close();

 private:
  struct Request {
    std::string_view statement;
    std::vector<Value> params;
    io::OneShot<absl::StatusOr<Rows>> done;
  };
  // Shared between the queue and the coroutine that waits, which may be destroyed first.
  using Requests = std::vector<std::shared_ptr<Request>>;

  static io::Task<void> Drain(std::shared_ptr<Reader> self);
  std::vector<absl::StatusOr<Rows>> Run(const Requests& requests);

  io::Loop& loop_;
  // Confined to the loop.
  Requests queue_;
  bool draining_ = false;
  // The worker's; the mutex orders it with Close().
  std::mutex mutex_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace talon::store
