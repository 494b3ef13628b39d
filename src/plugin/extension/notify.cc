// SPDX-License-Identifier: Apache-2.0
#include "plugin/extension/notify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"
#include "plugin/extension/core_tool.h"
#include "plugin/h2/wire.h"
#include "plugin/host.h"
#include "talon/v1/notify.pb.h"
#include "tool/catalogue.h"

namespace talon::plugin {
namespace {

constexpr std::string_view kNotify = "/talon.v1.NotificationChannel/Notify";

v1::NotifyLevel LevelOf(NoteLevel level) {
  switch (level) {
    case NoteLevel::kWarning:
      return v1::NOTIFY_LEVEL_WARNING;
    case NoteLevel::kUrgent:
      return v1::NOTIFY_LEVEL_URGENT;
    default:
      return v1::NOTIFY_LEVEL_INFO;
  }
}

}  // namespace

std::string_view NoteLevelName(NoteLevel level) {
  switch (level) {
    case NoteLevel::kWarning:
      return "warning";
    case NoteLevel::kUrgent:
      return "urgent";
    default:
      return "info";
  }
}

absl::StatusOr<NoteLevel> ParseNoteLevel(std::string_view name) {
  if (name.empty()) return NoteLevel::kInfo;
  for (const NoteLevel level : {NoteLevel::kInfo, NoteLevel::kWarning, NoteLevel::kUrgent}) {
    if (name == NoteLevelName(level)) return level;
  }
  return InvalidArgument(fmt::format("level: '{}' is not one of info, warning, urgent", name));
}

absl::Status Notifier::Fit(Note& note) const {
  if (options_.plugin.empty()) {
    return absl::UnimplementedError(
        "there is no notification channel; name a plugin with `notifications.plugin` in "
        "talon.yaml");
  }
  for (const std::string* text : {&note.id, &note.title, &note.text, &note.recipient}) {
    if (!IsValidUtf8(*text)) return InvalidArgument("a notification is valid UTF-8");
  }
  if (TrimSpace(note.text).empty()) return InvalidArgument("text: missing or empty");
  if (note.recipient.size() > kMaxRecipientBytes) {
    return InvalidArgument(fmt::format("recipient: at most {} bytes", kMaxRecipientBytes));
  }
  note.title = TruncateUtf8(note.title, kMaxTitleBytes);
  std::size_t limit = kMaxNoteBytes;
  if (const Manifest* manifest = host_.ManifestOf(options_.plugin)) {
    if (!manifest->notify) {
      return absl::UnimplementedError(
          fmt::format("plugin '{}' is no notification channel; name another with "
                      "`notifications.plugin`",
                      options_.plugin));
    }
    if (!note.recipient.empty() && !manifest->notify->recipients) {
      return InvalidArgument(fmt::format(
          "recipient: plugin '{}' brings everything to one place; leave it out", options_.plugin));
    }
    if (manifest->notify->max_text_bytes > 0) {
      limit = std::min<std::size_t>(limit, manifest->notify->max_text_bytes);
    }
  }
  note.text = TruncateUtf8(note.text, limit);
  return absl::OkStatus();
}

io::Task<absl::StatusOr<Delivery>> Notifier::Notify(Note note, CallContext context) {
  TALON_CO_RETURN_IF_ERROR(Fit(note));
  if (note.id.empty()) note.id = "ntf_" + ids_.Next();
  v1::NotifyRequest request;
  request.set_id(note.id);
  request.set_title(note.title);
  request.set_text(note.text);
  request.set_level(LevelOf(note.level));
  request.set_recipient(note.recipient);
  request.set_session_id(note.session.str());
  context = context.Until(clock_.SteadyNow() + options_.timeout);
  auto wait = kFirstNotifyWait;
  for (int tries = 1;; ++tries) {
    const auto answer = co_await host_.Call(options_.plugin, kNotify, request.SerializeAsString(),
                                            context, Repeat::kOnce);
    if (answer.ok()) {
      v1::NotifyResponse response;
      if (!response.ParseFromString(*answer)) co_return h2::Misbehaved("no NotifyResponse");
      co_return Delivery{std::move(note.id), h2::CleanText(response.message_id(), kMaxTitleBytes)};
    }
    const SteadyTime next = clock_.SteadyNow() + wait;
    if (!absl::IsUnavailable(answer.status()) || tries >= kNotifyTries ||
        next >= context.deadline) {
      co_return answer.status();
    }
    TALON_CO_RETURN_IF_ERROR(co_await loop_.SleepUntil(next, context));
    wait *= 2;
  }
}

absl::Status AddNotifyTool(tool::Catalogue& catalogue, Notifier& notifier) {
  tool::ToolSpec spec;
  spec.name = "talon__notify";
  spec.plugin = "talon";
  spec.description =
      "Sends the person a notification outside this conversation. Only for what they asked to be "
      "told, or must know now.";
  spec.schema =
      R"({"type":"object","properties":{"text":{"type":"string","minLength":1},)"
      R"("title":{"type":"string"},"level":{"type":"string","enum":["info","warning","urgent"]},)"
      R"("recipient":{"type":"string"}},"required":["text"],"additionalProperties":false})";
  spec.effect = tool::EffectClass::kSend;
  spec.idempotent = true;
  spec.sink_arguments = {"recipient"};
  return catalogue.Add(std::make_shared<CoreTool>(
      std::move(spec),
      [notifier = &notifier](tool::Invocation invocation, Json arguments,
                             CallContext context) -> io::Task<absl::StatusOr<std::string>> {
        Note note;
        note.id = invocation.idempotency_key;
        note.title = JsonString(arguments, "title");
        note.text = JsonString(arguments, "text");
        note.recipient = JsonString(arguments, "recipient");
        note.session = invocation.session;
        TALON_CO_ASSIGN_OR_RETURN(note.level, ParseNoteLevel(JsonString(arguments, "level")));
        const auto sent = co_await notifier->Notify(std::move(note), std::move(context));
        if (!sent.ok()) co_return sent.status();
        co_return "sent";
      }));
}

}  // namespace talon::plugin
