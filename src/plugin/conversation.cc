// SPDX-License-Identifier: Apache-2.0
#include "plugin/conversation.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {

Conversation::Conversation(io::Loop& loop, Talk talk, tool::CallEvents* events, CallContext context,
                           std::size_t max_questions)
    : talk_(talk),
      events_(events),
      max_questions_(max_questions),
      context_(std::move(context)),
      over_(context_.cancel),
      asking_(loop) {
  context_.cancel = over_.token();
}

io::Task<absl::StatusOr<std::string>> Conversation::Run(PluginStream& stream, std::string request) {
  absl::StatusOr<std::string> result = Internal("nothing was said");
  if (absl::Status said = co_await Say(stream, std::move(request)); said.ok()) {
    result = co_await Listen(stream);
  } else {
    result = std::move(said);
  }
  over_.Cancel(Cancelled("the call has ended"));
  co_await asking_.Join();
  co_return result;
}

io::Task<absl::Status> Conversation::Say(PluginStream& stream, std::string request) {
  absl::Status said = co_await stream.Write(talk_ == Talk::kQuestions ? EncodeHostCall(request)
                                                                      : std::move(request));
  if (talk_ == Talk::kUpdates) stream.CloseWrites();
  // A plugin that refused the call at once says why to who reads.
  co_return absl::IsFailedPrecondition(said) ? absl::OkStatus() : said;
}

io::Task<absl::StatusOr<std::string>> Conversation::Listen(PluginStream& stream) {
  while (true) {
    TALON_CO_ASSIGN_OR_RETURN(std::optional<std::string> bytes, co_await stream.Read());
    if (!bytes) co_return h2::Misbehaved("it ended the call without a result");
    TALON_CO_ASSIGN_OR_RETURN(PluginSays says, talk_ == Talk::kQuestions
                                                   ? DecodePluginMessage(*bytes)
                                                   : DecodeExecuteUpdate(*bytes));
    if (auto* result = std::get_if<PluginResult>(&says)) {
      stream.CloseWrites();
      // Its end is awaited, so that the call is not reset; the result stands whatever comes.
      const auto end = co_await stream.Read();
      if (end.ok() && end->has_value()) co_return h2::Misbehaved("it went on after its result");
      co_return std::move(result->bytes);
    }
    if (auto* question = std::get_if<PluginQuestion>(&says)) {
      TALON_CO_RETURN_IF_ERROR(Take(stream, std::move(*question)));
    } else if (events_ != nullptr) {
      events_->OnProgress(std::get<tool::Progress>(says));
    }
  }
}

absl::Status Conversation::Take(PluginStream& stream, PluginQuestion question) {
  if (question.id.empty()) return h2::Misbehaved("a question has no id");
  for (const PluginQuestion& open : questions_) {
    if (open.id == question.id) return h2::Misbehaved("two open questions have the same id");
  }
  if (questions_.size() >= max_questions_) {
    return h2::Misbehaved(fmt::format("it asked {} questions at once", questions_.size() + 1));
  }
  questions_.push_back(std::move(question));
  if (questions_.size() == 1) asking_.Spawn(AskAll(stream));
  return absl::OkStatus();
}

io::Task<void> Conversation::AskAll(PluginStream& stream) {
  while (!questions_.empty() && !context_.cancel.cancelled()) {
    tool::Answer answer;
    if (events_ != nullptr) answer = co_await events_->Ask(questions_.front().question, context_);
    if (context_.cancel.cancelled()) co_return;
    const std::string id = questions_.front().id;
    // Whoever listens learns of a broken stream.
    (void)co_await stream.Write(EncodeHostAnswer(id, answer));
    questions_.pop_front();
  }
}

}  // namespace talon::plugin
