// SPDX-License-Identifier: Apache-2.0
#include "io/remote_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace talon::io {
namespace {

int MakeEventFd() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  TALON_CHECK(fd >= 0);
  return fd;
}

}  // namespace

struct RemoteQueue::Descriptor {
  explicit Descriptor(boost::asio::io_context& context) : stream(context, MakeEventFd()) {}
  boost::asio::posix::stream_descriptor stream;
  std::uint64_t count = 0;
};

RemoteQueue::RemoteQueue(boost::asio::io_context& context)
    : context_(context), descriptor_(std::make_unique<Descriptor>(context)) {
  Wait();
}

RemoteQueue::~RemoteQueue() = default;

void RemoteQueue::Add(absl::AnyInvocable<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    if (queue_.size() > 1) return;  // the loop was told
  }
  const std::uint64_t one = 1;
  const ssize_t written = ::write(descriptor_->stream.native_handle(), &one, sizeof one);
  TALON_CHECK(written == sizeof one);  // fails only at 2^64 - 1 unread
}

void RemoteQueue::Wait() {
  descriptor_->stream.async_read_some(
      boost::asio::buffer(&descriptor_->count, sizeof descriptor_->count),
      [this](const boost::system::error_code& error, std::size_t) {
        if (!error) Drain();
      });
}

void RemoteQueue::Drain() {
  std::vector<absl::AnyInvocable<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(queue_);
  }
  for (auto& each : work) boost::asio::post(context_, std::move(each));
  Wait();
}

}  // namespace talon::io
