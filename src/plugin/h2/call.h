// SPDX-License-Identifier: Apache-2.0
// One open call as its caller sees it: coroutines that wait, a deadline, cancellation. Unary calls
// and streams are both this. Internal to plugin/h2; loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "plugin/h2/link.h"

namespace talon::plugin::h2 {

class Call {
 public:
  Call(std::shared_ptr<Link> link, CallContext context);
  // Resets the call when it has not ended. Nobody may wait in it.
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // First of all, once; nothing else when it fails.
  absl::Status Open(std::string_view method);
  // Hands over the one message of a unary call. It leaves with the next Read().
  absl::Status Send(std::string message);
  // See PluginStream.
  io::Task<absl::Status> Write(std::string message);
  void CloseWrites();
  io::Task<absl::StatusOr<std::optional<std::string>>> Read();
  // Ends it from this side, for those who wait in it too.
  void End(absl::Status reason);

 private:
  using Waiter = std::optional<io::OneShot<bool>>;
  void Changed();

  const std::shared_ptr<Link> link_;
  const CallContext context_;
  std::int32_t id_ = 0;  // 0: not open in the session
  io::TimerId timer_;
  CancelRegistration registration_;
  absl::Status end_;  // from this side
  Waiter reading_, writing_;
};

}  // namespace talon::plugin::h2
