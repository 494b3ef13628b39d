// SPDX-License-Identifier: Apache-2.0
#include "plugin/talk.h"

#include <google/protobuf/stubs/logging.h>

#include <cmath>
#include <utility>

#include "base/text.h"
#include "plugin/h2/wire.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {
namespace {

bool Parse(google::protobuf::MessageLite& message, std::string_view bytes) {
  const google::protobuf::LogSilencer silent;  // of strings that are not UTF-8
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// What is no amount is none.
double Amount(double given) {
  return std::isfinite(given) && given > 0 ? given : 0;
}

tool::Progress Take(v1::Progress& progress) {
  return {.text = std::move(*progress.mutable_text()),
          .done = Amount(progress.done()),
          .total = Amount(progress.total())};
}

v1::AnswerAction ActionOf(tool::AnswerAction action) {
  switch (action) {
    case tool::AnswerAction::kAccept:
      return v1::ANSWER_ACTION_ACCEPT;
    case tool::AnswerAction::kDecline:
      return v1::ANSWER_ACTION_DECLINE;
    case tool::AnswerAction::kCancel:
      break;
  }
  return v1::ANSWER_ACTION_CANCEL;
}

}  // namespace

absl::StatusOr<PluginSays> DecodeExecuteUpdate(std::string_view bytes) {
  v1::ExecuteUpdate update;
  if (!Parse(update, bytes)) return h2::Misbehaved("an update is no valid ExecuteUpdate");
  switch (update.update_case()) {
    case v1::ExecuteUpdate::kProgress:
      return Take(*update.mutable_progress());
    case v1::ExecuteUpdate::kResult:
      return PluginResult{update.result().SerializeAsString()};
    case v1::ExecuteUpdate::UPDATE_NOT_SET:
      break;
  }
  return h2::Misbehaved("an update is neither progress nor result");
}

absl::StatusOr<PluginSays> DecodePluginMessage(std::string_view bytes) {
  v1::PluginMessage message;
  if (!Parse(message, bytes)) return h2::Misbehaved("a message is no valid PluginMessage");
  switch (message.message_case()) {
    case v1::PluginMessage::kProgress:
      return Take(*message.mutable_progress());
    case v1::PluginMessage::kQuestion: {
      v1::Question& question = *message.mutable_question();
      return PluginQuestion{.id = std::move(*question.mutable_id()),
                            .question = {.text = std::move(*question.mutable_text()),
                                         .schema = std::move(*question.mutable_schema_json()),
                                         .url = std::move(*question.mutable_url())}};
    }
    case v1::PluginMessage::kResult:
      return PluginResult{message.result().SerializeAsString()};
    case v1::PluginMessage::MESSAGE_NOT_SET:
      break;
  }
  return h2::Misbehaved("a message is neither progress, question nor result");
}

std::string EncodeHostCall(std::string_view execute_request) {
  v1::HostMessage message;
  Parse(*message.mutable_call(), execute_request);
  return message.SerializeAsString();
}

std::string EncodeHostAnswer(const std::string& question_id, const tool::Answer& answer) {
  v1::HostMessage message;
  v1::Answer& out = *message.mutable_answer();
  out.set_question_id(question_id);
  out.set_action(ActionOf(answer.action));
  out.set_content_json(answer.content);
  out.set_reason(RepairUtf8(answer.reason));
  return message.SerializeAsString();
}

bool SaysToolsChanged(std::string_view plugin_event) {
  v1::PluginEvent event;
  return Parse(event, plugin_event) && event.has_tools_changed();
}

}  // namespace talon::plugin
