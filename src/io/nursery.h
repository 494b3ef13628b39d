// SPDX-License-Identifier: Apache-2.0
// Owns detached tasks: nothing runs that nobody waits for. Confined to the loop's thread.
#pragma once

#include <cstddef>
#include <memory>

#include "io/task.h"

namespace talon::io {

class Loop;

class Nursery {
 public:
  explicit Nursery(Loop& loop);
  // All tasks must have ended (Join) before destruction; a Nursery that dies with live tasks ends
  // the process.
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  // Starts `task` from the loop, not inside this call.
  void Spawn(Task<void> task);
  std::size_t live() const;
  // Ends when no task is live; tasks spawned meanwhile are waited for too. One waiter at a time.
  Task<void> Join();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace talon::io
