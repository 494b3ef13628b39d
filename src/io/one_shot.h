// SPDX-License-Identifier: Apache-2.0
// A value that is set once and awaited by at most one coroutine: how callbacks become coroutines.
// Confined to the loop's thread.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "io/task.h"

namespace talon::io {

template <class T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  // The first call counts; later ones are ignored. The waiter resumes from the loop, not inside.
  void Set(T value) {
    if (set_) return;
    set_ = true;
    if (resume_) {
      std::exchange(resume_, nullptr)(std::move(value));
    } else {
      value_.emplace(std::move(value));
    }
  }
  bool is_set() const { return set_; }

  // The object must live until Set() ran or the waiting coroutine was destroyed.
  Task<T> Wait() {
    if (value_) {
      T value = *std::move(value_);
      value_.reset();
      co_return value;
    }
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(T)>(
        [this](auto handler) {
          resume_ = [handler = std::move(handler)](T value) mutable {
            auto executor = boost::asio::get_associated_executor(handler);
            boost::asio::post(executor,
                              [handler = std::move(handler), value = std::move(value)]() mutable {
                                std::move(handler)(std::move(value));
                              });
          };
        },
        boost::asio::use_awaitable);
  }

 private:
  bool set_ = false;
  std::optional<T> value_;
  absl::AnyInvocable<void(T)> resume_;
};

}  // namespace talon::io
