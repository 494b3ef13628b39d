// SPDX-License-Identifier: Apache-2.0
#include "mcp/bell.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace talon::plugins::mcp {

Bell::Bell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Bell::Ring() {
  eventfd_write(fd_.get(), 1);
}

void Bell::Take() {
  eventfd_t count = 0;
  eventfd_read(fd_.get(), &count);
}

void BlockPipeSignal() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
}

Bell::Woken Bell::Wait(int cancel_fd, Clock::time_point deadline) {
  while (true) {
    int timeout = -1;
    if (deadline != Clock::time_point::max()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return Woken::kTimedOut;
      timeout = static_cast<int>(std::min<long>(left, 1 << 30));
    }
    pollfd fds[] = {{fd_.get(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    if (poll(fds, 2, timeout) < 0 && errno != EINTR) return Woken::kTimedOut;
    if (fds[1].revents != 0) return Woken::kCancelled;
    eventfd_t count = 0;
    if (fds[0].revents != 0 && eventfd_read(fd_.get(), &count) == 0) return Woken::kRung;
  }
}

}  // namespace talon::plugins::mcp
