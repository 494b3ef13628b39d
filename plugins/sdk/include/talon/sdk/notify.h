// SPDX-License-Identifier: Apache-2.0
// Extension point: brings a message to a person. A plugin that also derives from
// NotificationChannel is used by `talon notify`, talon__notify and scheduled tasks once
// `notifications.plugin` names it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

struct NotifySpec {
  std::uint32_t max_text_bytes = 0;  // 0 = no limit; longer text is cut by the daemon
  bool recipients = false;           // honours Notification::recipient
};

enum class NotifyLevel { kInfo, kWarning, kUrgent };

struct Notification {
  std::string id;  // deliver the same id once: the daemon tries again after UNAVAILABLE
  std::string title, text;
  NotifyLevel level = NotifyLevel::kInfo;
  std::string recipient;  // empty = the channel's default
  std::string session_id;
};

class NotificationChannel {
 public:
  explicit NotificationChannel(NotifySpec spec = {}) : notify_spec_(spec) {}
  virtual ~NotificationChannel() = default;

  // Answers when the message is delivered or safely handed on, with the channel's own id for it
  // (may be empty). UNAVAILABLE: the daemon tries again later. Several calls run at once.
  virtual absl::StatusOr<std::string> Notify(const Notification& notification,
                                             const CallInfo& call) = 0;

  const NotifySpec& notify_spec() const { return notify_spec_; }

 private:
  const NotifySpec notify_spec_;
};

}  // namespace talon::sdk
