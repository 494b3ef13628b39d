// SPDX-License-Identifier: Apache-2.0
#include "cli/holder.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "io/file_watch.h"
#include "io/loop.h"
#include "io/one_shot.h"

namespace talon::cli {
namespace {

using Changed = std::shared_ptr<io::OneShot<bool>>;

// 0 while it is not known: the holder writes it right after it took the lock.
pid_t HolderOf(const daemon::Paths& paths) {
  const auto text = ReadFile(paths.lock(), 64);
  if (!text.ok()) return 0;
  const std::string_view line = TrimSpace(*text);
  pid_t pid = 0;
  std::from_chars(line.data(), line.data() + line.size(), pid);
  return pid;
}

// Readable once the process is gone; null when it is already.
std::unique_ptr<boost::asio::posix::stream_descriptor> WatchEnd(io::Loop& loop, pid_t pid,
                                                                Changed changed) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) {
    if (errno == ESRCH) changed->Set(true);
    return nullptr;
  }
  auto descriptor = std::make_unique<boost::asio::posix::stream_descriptor>(loop.context(), fd);
  descriptor->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [changed = std::move(changed)](const boost::system::error_code& error) {
                           if (!error) changed->Set(true);
                         });
  return descriptor;
}

bool Differs(const absl::StatusOr<daemon::Announcement>& now,
             const std::optional<daemon::Announcement>& known) {
  if (!now.ok()) return known.has_value();
  return !known.has_value() || now->pid != known->pid || now->port != known->port;
}

}  // namespace

io::Task<absl::Status> HolderChanged(io::Loop& loop, const daemon::Paths& paths,
                                     std::optional<daemon::Announcement> known,
                                     CallContext context) {
  const auto changed = std::make_shared<io::OneShot<bool>>();  // shared with what sets it
  const auto watch = io::WatchFile(
      loop, paths.run(), std::filesystem::path(paths.announcement()).filename().string(),
      [changed] { changed->Set(true); }, std::chrono::milliseconds(0));
  TALON_CO_RETURN_IF_ERROR(watch.status());
  // What happened before the watch stood is seen now.
  if (Differs(daemon::ReadAnnouncement(paths), known)) co_return absl::OkStatus();
  const pid_t pid = HolderOf(paths);
  const auto end = pid > 0 ? WatchEnd(loop, pid, changed) : nullptr;

  const io::TimerId timer = loop.CallAt(context.deadline, [changed] { changed->Set(false); });
  const auto cancelled = context.cancel.OnCancel([changed] { changed->Set(false); });
  const bool happened = co_await changed->Wait();
  loop.CancelTimer(timer);
  if (happened) co_return absl::OkStatus();
  if (context.cancel.cancelled()) co_return context.cancel.status();
  co_return DeadlineExceeded(fmt::format("process {} still holds '{}'", pid, paths.home));
}

}  // namespace talon::cli
