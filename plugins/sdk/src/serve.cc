// SPDX-License-Identifier: Apache-2.0
#include "talon/sdk/serve.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>

#include "dispatcher.h"
#include "server.h"
#include "talon/sdk/log.h"
#include "talon/sdk/protocol.h"

namespace talon::sdk {
namespace {

// Beyond the server's own grace: a handler that ignores its cancellation does not keep the process.
constexpr std::chrono::milliseconds kLastGrace{500};

bool StartedByDaemon() {
  const char* cookie = std::getenv(kCookieName);
  return cookie != nullptr && std::string_view(cookie) == kCookieValue;
}

// What the plugin starts does not get it.
std::string TakeCallerKey() {
  const char* value = std::getenv(kCallerKeyName);
  std::string key = value == nullptr ? "" : value;
  unsetenv(kCallerKeyName);
  return key;
}

absl::StatusOr<std::string> SocketPath() {
  const char* folder = std::getenv(kSocketDirName);
  if (folder == nullptr || *folder == '\0') {
    return absl::FailedPreconditionError(fmt::format("{} is not set", kSocketDirName));
  }
  std::string path = fmt::format("{}/p{}", folder, getpid());
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::FailedPreconditionError(fmt::format("socket path '{}' is longer than {} bytes",
                                                     path, sizeof(sockaddr_un::sun_path) - 1));
  }
  return path;
}

// Blocks SIGTERM for this and all later threads and makes it readable. SIGINT belongs to the
// daemon's terminal and is not ours.
int TermSignalFd() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

bool WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void WaitForAny(int first, int second) {
  pollfd fds[] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
}

// Ends the process when the scope is not left in time.
class ExitDeadline {
 public:
  ExitDeadline(std::chrono::milliseconds limit, std::string socket_path)
      : thread_([this, limit, path = std::move(socket_path)] {
          std::unique_lock lock(mutex_);
          if (left_.wait_for(lock, limit, [this] { return done_; })) return;
          Log(LogLevel::kWarn, "stopped with calls still running");
          unlink(path.c_str());
          _exit(1);
        }) {}
  ~ExitDeadline() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    left_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  bool done_ = false;  // guarded by mutex_
  std::thread thread_;
};

absl::Status Run(Plugin& plugin, const ServeOptions& options, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) return absl::AbortedError("the daemon has ended");
  const absl::StatusOr<std::string> path = SocketPath();
  if (!path.ok()) return path.status();
  const int term_fd = TermSignalFd();
  const int shutdown_fd = eventfd(0, EFD_CLOEXEC);
  if (term_fd < 0 || shutdown_fd < 0) return absl::ResourceExhaustedError("no file descriptors");

  Dispatcher dispatcher(plugin, options.max_content_bytes);
  const mode_t mask = umask(077);
  auto server = Server::Start(dispatcher, {*path, TakeCallerKey()}, options,
                              [shutdown_fd] { eventfd_write(shutdown_fd, 1); });
  umask(mask);
  if (!server.ok()) return server.status();
  const bool greeted =
      WriteAll(fmt::format("{}|{}|unix|{}|grpc\n", kHandshakeVersion, kProtocolVersion, *path));
  if (greeted) WaitForAny(term_fd, shutdown_fd);
  {
    const ExitDeadline deadline(options.stop_grace + kLastGrace, *path);
    server->reset();
  }
  unlink(path->c_str());
  return greeted ? absl::OkStatus() : absl::AbortedError("nobody reads the handshake");
}

}  // namespace

int Serve(int argc, char** argv, Plugin& plugin, const ServeOptions& options) {
  const pid_t parent = getppid();
  const std::string& name = plugin.info().name;
  absl::Status status = Dispatcher(plugin, 0).Validate();
  if (status.ok() && argc == 2 && std::string_view(argv[1]) == "--manifest") {
    return WriteAll(ManifestJson(plugin)) ? 0 : 1;
  }
  if (status.ok() && !StartedByDaemon()) {
    std::fprintf(stderr,
                 "%s %s: this is a plugin of talon. The daemon starts it; run by hand it only "
                 "knows --manifest.\n",
                 name.c_str(), plugin.info().version.c_str());
    return 1;
  }
  if (status.ok()) status = Run(plugin, options, parent);
  if (status.ok()) return 0;
  Log(LogLevel::kError, fmt::format("plugin '{}': {}", name, Result::Error(status).error));
  return 1;
}

}  // namespace talon::sdk
