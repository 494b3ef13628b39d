// SPDX-License-Identifier: Apache-2.0
#include "daemon/code_channel.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "plugin/extension/notify.h"

namespace talon::daemon {

io::Task<absl::StatusOr<std::string>> PersonalCodes::Send(std::string approval, std::string code,
                                                          std::string what) {
  if (notifier_.configured()) {
    plugin::Note note{.id = approval,
                      .title = "talon: code for an approval",
                      .text = fmt::format("{} approves: {}", code, what),
                      .level = plugin::NoteLevel::kUrgent};
    const auto sent = co_await notifier_.Notify(std::move(note), {});
    if (!sent.ok()) co_return sent.status();
    co_return "the notification channel";
  }
  TALON_CO_RETURN_IF_ERROR(MakeDirectories(folder_, 0700));
  const std::string file = FileOf(approval);
  TALON_CO_RETURN_IF_ERROR(WriteFileAtomic(file, fmt::format("{}\n{}\n", code, what), 0600));
  co_return fmt::format("the file {}", file);
}

void PersonalCodes::Withdraw(const std::string& approval) {
  ::unlink(FileOf(approval).c_str());
}

}  // namespace talon::daemon
