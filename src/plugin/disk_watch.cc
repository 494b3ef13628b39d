// SPDX-License-Identifier: Apache-2.0
#include "plugin/disk_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "base/status.h"
#include "io/loop.h"
#include "io/one_shot.h"

namespace talon::plugin {
namespace {

class InotifyWatch : public DiskWatch {
 public:
  InotifyWatch(io::Loop& loop, int fd) : fd_(fd), descriptor_(loop.context(), fd) {}

  int descriptor() const override { return fd_; }

  io::Task<bool> Written(CancelToken cancel) override {
    // Shared with the wait, which may outlive it by one iteration of the loop.
    const auto event = std::make_shared<io::OneShot<bool>>();
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [event](const boost::system::error_code& error) { event->Set(!error); });
    const auto registration = cancel.OnCancel([event] { event->Set(false); });
    const bool written = co_await event->Wait();
    std::array<char, 4096> bytes;
    while (written && ::read(fd_, bytes.data(), bytes.size()) > 0) {
    }
    if (!written) descriptor_.cancel();
    co_return written;
  }

 private:
  const int fd_;  // descriptor_'s
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DiskWatch>> MakeDiskWatch(io::Loop& loop) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return ErrnoToStatus(errno, "watch a plugin's folders");
  return std::make_unique<InotifyWatch>(loop, fd);
}

}  // namespace talon::plugin
