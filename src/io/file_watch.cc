// SPDX-License-Identifier: Apache-2.0
#include "io/file_watch.h"

#include <fmt/core.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/loop.h"

namespace talon::io {
namespace {

constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF;

constexpr int kMostLinks = 16;  // of a chain; the kernel follows 40

// Shared with the wait under way, which outlives the watch by one loop iteration.
class WatchState : public std::enable_shared_from_this<WatchState> {
 public:
  WatchState(Loop& loop, int fd, std::string folder, std::string file_name,
             std::function<void()> on_change, std::chrono::milliseconds debounce)
      : loop_(loop),
        descriptor_(loop.context(), fd),
        folder_(std::move(folder)),
        file_name_(std::move(file_name)),
        on_change_(std::move(on_change)),
        debounce_(debounce) {}

  // Watches the file's folder, and those of what its links lead to now. An error only where the
  // first cannot be watched: a link may lead nowhere for a while.
  absl::Status Follow() {
    std::map<int, std::vector<std::string>> watched;
    std::filesystem::path folder = folder_;
    std::filesystem::path name = file_name_;
    for (int i = 0; i < kMostLinks; ++i) {
      const int watch =
          ::inotify_add_watch(descriptor_.native_handle(), folder.c_str(), kEvents | IN_ONLYDIR);
      if (watch < 0 && i == 0) {
        return ErrnoToStatus(errno, fmt::format("watch folder '{}'", folder_));
      }
      if (watch < 0) break;
      watched[watch].push_back(name.string());
      std::error_code no_link;
      const std::filesystem::path target =
          name.empty() ? name : std::filesystem::read_symlink(folder / name, no_link);
      if (no_link || target.empty()) break;
      const std::filesystem::path next = folder / target;  // an absolute one replaces it
      folder = next.parent_path();
      name = next.filename();
    }
    for (const auto& [watch, names] : std::exchange(watched_, std::move(watched))) {
      if (!watched_.contains(watch)) ::inotify_rm_watch(descriptor_.native_handle(), watch);
    }
    return absl::OkStatus();
  }

  void Wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const boost::system::error_code& error) {
                             if (error || !self->on_change_) return;
                             if (self->ReadEvents()) self->Changed();
                             self->Wait();
                           });
  }

  void Stop() {
    on_change_ = nullptr;
    loop_.CancelTimer(timer_);
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }

 private:
  bool Concerns(const inotify_event& event) const {
    if (file_name_.empty() || (event.mask & (IN_Q_OVERFLOW | IN_DELETE_SELF)) != 0) return true;
    const auto watch = watched_.find(event.wd);
    if (event.len == 0 || watch == watched_.end()) return false;
    const std::string_view name(event.name);
    // "..data" is the link that Kubernetes swaps to replace every file of a mounted folder at once.
    return name == "..data" || std::ranges::find(watch->second, name) != watch->second.end();
  }

  // Reads all pending events; true when one of them concerns the file.
  bool ReadEvents() {
    alignas(inotify_event) std::array<char, 4096> buffer;
    bool concerned = false;
    while (true) {
      const ssize_t size = ::read(descriptor_.native_handle(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return concerned;
      std::size_t offset = 0;
      while (offset < static_cast<std::size_t>(size)) {
        const auto& event = *reinterpret_cast<const inotify_event*>(buffer.data() + offset);
        concerned = concerned || Concerns(event);
        offset += sizeof(inotify_event) + event.len;
      }
    }
  }

  void Changed() {
    loop_.CancelTimer(timer_);
    timer_ = loop_.CallAt(std::chrono::steady_clock::now() + debounce_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || !self->on_change_) return;
      self->Follow().IgnoreError();             // before the file is read: nothing is missed
      const auto on_change = self->on_change_;  // the callback may end the watch
      on_change();
    });
  }

  Loop& loop_;
  boost::asio::posix::stream_descriptor descriptor_;
  const std::string folder_;
  const std::string file_name_;
  std::map<int, std::vector<std::string>> watched_;  // names by inotify's number of their folder
  std::function<void()> on_change_;                  // null once stopped
  const std::chrono::milliseconds debounce_;
  TimerId timer_;
};

class InotifyWatch : public FileWatch {
 public:
  explicit InotifyWatch(std::shared_ptr<WatchState> state) : state_(std::move(state)) {}
  ~InotifyWatch() override { state_->Stop(); }

 private:
  std::shared_ptr<WatchState> state_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FileWatch>> WatchFile(Loop& loop, const std::string& folder,
                                                     const std::string& file_name,
                                                     std::function<void()> on_change,
                                                     std::chrono::milliseconds debounce) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return ErrnoToStatus(errno, fmt::format("watch folder '{}'", folder));
  auto state =
      std::make_shared<WatchState>(loop, fd, folder, file_name, std::move(on_change), debounce);
  TALON_RETURN_IF_ERROR(state->Follow());
  state->Wait();
  return std::make_unique<InotifyWatch>(std::move(state));
}

}  // namespace talon::io
