// SPDX-License-Identifier: Apache-2.0
#include "talk.h"

#include <utility>

#include "talon/sdk/text.h"

namespace talon::sdk {
namespace {

Answer Convert(const v1::Answer& given) {
  Answer answer;
  answer.reason = given.reason();
  if (given.action() == v1::ANSWER_ACTION_DECLINE) answer.action = AnswerAction::kDecline;
  if (given.action() != v1::ANSWER_ACTION_ACCEPT) return answer;
  if (!given.content_json().empty()) {
    absl::StatusOr<Args> content = Args::Parse(given.content_json(), "answer");
    if (!content.ok()) return answer;
    answer.content = *std::move(content);
  }
  answer.action = AnswerAction::kAccept;
  return answer;
}

}  // namespace

void Talk::Progress(std::string_view text, double done, double total) {
  v1::Progress progress;
  progress.set_text(RepairUtf8(std::string(text)));
  progress.set_done(done);
  progress.set_total(total);
  const std::lock_guard lock(mutex_);
  if (!closed_) tell_(std::move(progress));
}

Answer Talk::Ask(const Question& question, const CallInfo& call) {
  if (ask_ == nullptr) return {.reason = "the tool does not declare that it asks (Tool::asks)"};
  v1::Question out;
  out.set_text(RepairUtf8(question.text));
  out.set_url(question.url);
  if (question.url.empty() && !question.form.empty()) out.set_schema_json(question.form.Json());
  std::unique_lock lock(mutex_);
  if (closed_) return {};
  const std::string id = std::to_string(++asked_);
  out.set_id(id);
  open_[id];
  ask_(std::move(out));
  const auto over = [&] { return closed_ || open_[id].has_value(); };
  if (call.deadline() == CallInfo::Clock::time_point::max()) {
    changed_.wait(lock, over);
  } else {
    changed_.wait_until(lock, call.deadline(), over);
  }
  const std::optional<v1::Answer> answer = std::move(open_[id]);
  open_.erase(id);
  return answer ? Convert(*answer) : Answer();
}

void Talk::Answered(const v1::Answer& answer) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(answer.question_id());
  if (found == open_.end()) return;
  found->second = answer;
  changed_.notify_all();
}

void Talk::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

CallInfo InfoOf(const v1::ExecuteRequest& request, const CallInfo& call) {
  CallInfo info = call;
  info.call_id = request.call_id();
  info.session_id = request.session_id();
  info.idempotency_key = request.idempotency_key();
  info.actor = ActorOf(request.actor());
  return info;
}

absl::Status ExecuteTold(Dispatcher& dispatcher, const v1::ExecuteRequest& request,
                         const CallInfo& call, Outlet<v1::ExecuteUpdate>& out) {
  const auto talk = std::make_shared<Talk>([&out](v1::Progress progress) {
    v1::ExecuteUpdate update;
    *update.mutable_progress() = std::move(progress);
    out.PostLatest(std::move(update));
  });
  v1::ExecuteUpdate last;
  const absl::Status status =
      dispatcher.Execute(request, CallInfo(InfoOf(request, call), talk), *last.mutable_result());
  talk->Close();
  if (status.ok()) out.Post(std::move(last));
  return status;
}

namespace {

class ToolConversation : public Inlet<v1::HostMessage> {
 public:
  ToolConversation(Dispatcher& dispatcher, Outlet<v1::PluginMessage>& out)
      : dispatcher_(dispatcher),
        out_(out),
        talk_(std::make_shared<Talk>(
            [&out](v1::Progress progress) {
              v1::PluginMessage message;
              *message.mutable_progress() = std::move(progress);
              out.PostLatest(std::move(message));
            },
            [&out](v1::Question question) {
              v1::PluginMessage message;
              *message.mutable_question() = std::move(question);
              out.Post(std::move(message));
            })) {}

  absl::Status Run(const v1::HostMessage& first, const CallInfo& call) override {
    if (!first.has_call()) return absl::InvalidArgumentError("the first message is no call");
    v1::PluginMessage last;
    const absl::Status status = dispatcher_.Execute(
        first.call(), CallInfo(InfoOf(first.call(), call), talk_), *last.mutable_result());
    talk_->Close();
    if (status.ok()) out_.Post(std::move(last));
    return status;
  }
  void Came(const v1::HostMessage& message) override {
    if (message.has_answer()) talk_->Answered(message.answer());
  }
  void Ended() override { talk_->Close(); }

 private:
  Dispatcher& dispatcher_;
  Outlet<v1::PluginMessage>& out_;
  const std::shared_ptr<Talk> talk_;  // shared with the handler's CallInfo
};

}  // namespace

std::unique_ptr<Inlet<v1::HostMessage>> MakeConversation(Dispatcher& dispatcher,
                                                         Outlet<v1::PluginMessage>& out) {
  return std::make_unique<ToolConversation>(dispatcher, out);
}

}  // namespace talon::sdk
