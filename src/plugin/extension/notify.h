// SPDX-License-Identifier: Apache-2.0
// Brings messages to a person through the plugin that `notifications.plugin` names
// (proto/talon/v1/notify.proto). A channel that is unavailable is tried again, with growing waits
// and under the same id, until the time is up. Loop's thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/clock.h"
#include "base/ids.h"
#include "io/task.h"
#include "plugin/extension/options.h"

namespace talon::io {
class Loop;
}
namespace talon::tool {
class Catalogue;
}

namespace talon::plugin {

class Host;

enum class NoteLevel { kInfo, kWarning, kUrgent };
std::string_view NoteLevelName(NoteLevel level);
// "" is info.
absl::StatusOr<NoteLevel> ParseNoteLevel(std::string_view name);

struct Note {
  std::string id;  // the same id is delivered once; empty = a new one
  std::string title, text;
  NoteLevel level = NoteLevel::kInfo;
  std::string recipient;  // empty = the channel's default
  SessionId session;
};

struct Delivery {
  std::string id;       // of the note
  std::string message;  // the channel's own
};

class Notifier {
 public:
  // All must outlive this.
  Notifier(io::Loop& loop, Host& host, const Clock& clock, IdSource& ids,
           NotificationOptions options)
      : loop_(loop), host_(host), clock_(clock), ids_(ids), options_(std::move(options)) {}

  bool configured() const { return !options_.plugin.empty(); }
  // Ends when the channel has it. Unimplemented when none is configured, InvalidArgument, and the
  // channel's errors.
  io::Task<absl::StatusOr<Delivery>> Notify(Note note, CallContext context);

 private:
  // Cuts and checks against what the channel takes.
  absl::Status Fit(Note& note) const;

  io::Loop& loop_;
  Host& host_;
  const Clock& clock_;
  IdSource& ids_;
  const NotificationOptions options_;
};

// talon__notify. `notifier` must outlive the tool.
absl::Status AddNotifyTool(tool::Catalogue& catalogue, Notifier& notifier);

}  // namespace talon::plugin
