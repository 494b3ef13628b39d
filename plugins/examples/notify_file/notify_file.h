// SPDX-License-Identifier: Apache-2.0
// Appends each message to a file, one JSON object a line, and hands it to a command when one is
// configured: `notify-send` on a desktop, `mail`, or a script. An id that is in the file already is
// not delivered again.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "talon/sdk/notify.h"
#include "talon/sdk/plugin.h"

namespace talon::examples {

class NotifyFile : public sdk::Plugin, public sdk::NotificationChannel {
 public:
  NotifyFile();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;
  absl::StatusOr<std::string> Notify(const sdk::Notification& notification,
                                     const sdk::CallInfo& call) override;

 private:
  absl::Status RunCommand(const sdk::Notification& notification, const sdk::CallInfo& call) const;

  std::string path_;
  std::vector<std::string> command_;  // {title}, {text} and {level} in its arguments are replaced
  std::mutex mutex_;                  // guards what follows, and the file
  std::set<std::string> delivered_;   // ids in the file
};

}  // namespace talon::examples
