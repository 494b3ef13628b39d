// SPDX-License-Identifier: Apache-2.0
#include "io/nursery.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "io/task_end.h"

namespace talon::io {

// Shared with the completions of the tasks.
struct Nursery::State {
  explicit State(Loop& l) : loop(l) {}
  Loop& loop;
  std::size_t live = 0;
  std::shared_ptr<OneShot<bool>> empty;  // set while somebody waits in Join
};

Nursery::Nursery(Loop& loop) : state_(std::make_shared<State>(loop)) {}

Nursery::~Nursery() {
  TALON_CHECK(state_->live == 0);
}

void Nursery::Spawn(Task<void> task) {
  ++state_->live;
  // co_spawn starts at once when called on the loop; the post keeps the start out of this call.
  state_->loop.Post([state = state_, task = std::move(task)]() mutable {
    boost::asio::co_spawn(state->loop.context(), std::move(task),
                          [state](std::exception_ptr error) {
                            EndProcessOnException(std::move(error));
                            if (--state->live == 0 && state->empty) {
                              std::exchange(state->empty, nullptr)->Set(true);
                            }
                          });
  });
}

std::size_t Nursery::live() const {
  return state_->live;
}

Task<void> Nursery::Join() {
  const auto state = state_;
  while (state->live > 0) {
    TALON_CHECK(state->empty == nullptr);
    const auto empty = std::make_shared<OneShot<bool>>();
    state->empty = empty;
    co_await empty->Wait();
  }
}

}  // namespace talon::io
