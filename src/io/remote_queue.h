// SPDX-License-Identifier: Apache-2.0
// Work that other threads hand to the loop: a queue and an eventfd. Asio's own way wakes the loop
// while it holds the lock the loop needs next, which costs two more thread switches a time. Part of
// Loop. Add() from any thread; the rest on the loop's.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace boost::asio {
class io_context;
}

namespace talon::io {

class RemoteQueue {
 public:
  // Work is posted to `context`, which must outlive this.
  explicit RemoteQueue(boost::asio::io_context& context);
  // Nobody may call Add() any more. Work that was not posted yet dies here.
  ~RemoteQueue();
  RemoteQueue(const RemoteQueue&) = delete;
  RemoteQueue& operator=(const RemoteQueue&) = delete;

  void Add(absl::AnyInvocable<void()> work);

 private:
  struct Descriptor;
  void Wait();
  void Drain();

  boost::asio::io_context& context_;
  const std::unique_ptr<Descriptor> descriptor_;
  std::mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> queue_;  // guarded by mutex_
};

}  // namespace talon::io
