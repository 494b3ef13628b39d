// SPDX-License-Identifier: Apache-2.0
#include "io/signals.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <utility>

#include "base/log.h"
#include "io/loop.h"

namespace talon::io {
namespace {

// Shared with the wait under way, which outlives the watch by one loop iteration.
class SignalState : public std::enable_shared_from_this<SignalState> {
 public:
  SignalState(Loop& loop, std::function<void(int)> on_signal)
      : set_(loop.context()), on_signal_(std::move(on_signal)) {}

  void Start(const std::vector<int>& signals) {
    for (const int number : signals) {
      boost::system::error_code error;
      set_.add(number, error);
      if (error) {
        log::Error("cannot watch a signal", {{"signal", number}, {"cause", error.message()}});
      }
    }
    Wait();
  }

  void Stop() {
    on_signal_ = nullptr;
    boost::system::error_code ignored;
    set_.clear(ignored);
    set_.cancel(ignored);
  }

 private:
  void Wait() {
    set_.async_wait(
        [self = shared_from_this()](const boost::system::error_code& error, int number) {
          if (error || !self->on_signal_) return;
          const auto on_signal = self->on_signal_;  // the callback may end the watch
          on_signal(number);
          if (self->on_signal_) self->Wait();
        });
  }

  boost::asio::signal_set set_;
  std::function<void(int)> on_signal_;  // null once stopped
};

class AsioSignalWatch : public SignalWatch {
 public:
  explicit AsioSignalWatch(std::shared_ptr<SignalState> state) : state_(std::move(state)) {}
  ~AsioSignalWatch() override { state_->Stop(); }

 private:
  std::shared_ptr<SignalState> state_;
};

}  // namespace

std::unique_ptr<SignalWatch> WatchSignals(Loop& loop, const std::vector<int>& signals,
                                          std::function<void(int)> on_signal) {
  auto state = std::make_shared<SignalState>(loop, std::move(on_signal));
  state->Start(signals);
  return std::make_unique<AsioSignalWatch>(std::move(state));
}

}  // namespace talon::io
