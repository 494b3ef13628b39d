// SPDX-License-Identifier: Apache-2.0
#include "agent/live_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"

namespace talon::agent {
namespace {

tool::Answer Declined(std::string reason) {
  return {.action = tool::AnswerAction::kDecline, .content = "", .reason = std::move(reason)};
}

tool::Answer Unanswered(std::string reason) {
  return {.action = tool::AnswerAction::kCancel, .content = "", .reason = std::move(reason)};
}

}  // namespace

LiveCall::LiveCall(Core& core, TurnRun& run, TurnWriter& writer, const tool::ToolSpec& spec,
                   std::string call_id, SteadyTime deadline)
    : core_(core),
      run_(run),
      writer_(writer),
      spec_(spec),
      call_id_(std::move(call_id)),
      context_(ContextOf(run)),
      over_(run.cancel.token()),
      deadline_(deadline) {
  if (!spec.asks) {
    context_ = context_.Until(deadline);
    return;
  }
  // A deadline that can move is a timer here, not a time in the context.
  context_.cancel = over_.token();
  RunTime();
}

LiveCall::~LiveCall() {
  core_.deps.loop.CancelTimer(timer_);
}

void LiveCall::RunTime() {
  timer_ = core_.deps.loop.CallAt(deadline_, [this] {
    over_.Cancel(DeadlineExceeded(
        fmt::format("tool '{}' did not answer in time (questions not counted)", spec_.name)));
  });
}

void LiveCall::StopTime() {
  core_.deps.loop.CancelTimer(timer_);
  stopped_at_ = core_.deps.clock.SteadyNow();
}

void LiveCall::OnProgress(const tool::Progress& progress) {
  if (run_.observers.empty()) return;
  const SteadyTime now = core_.deps.clock.SteadyNow();
  if (now < next_progress_) return;
  next_progress_ = now + core_.options.progress_interval;
  const ToolProgress shown{.call_id = call_id_,
                           .tool = spec_.name,
                           .text = core_.deps.guard.AdmitProgress(progress.text),
                           .done = progress.done,
                           .total = progress.total};
  for (TurnObserver* observer : run_.observers) observer->OnToolProgress(shown);
}

io::Task<tool::Answer> LiveCall::Ask(tool::Question question, CallContext context) {
  if (!spec_.asks) co_return Declined("the tool's manifest does not say that it asks");
  if (++asked_ > core_.options.max_questions) {
    co_return Declined(
        fmt::format("more than {} questions in one call "
                    "(orchestrator.max_questions)",
                    core_.options.max_questions));
  }
  auto admitted = core_.deps.guard.AdmitQuestion(std::move(question));
  if (!admitted.ok()) {
    log::Warn("question of a tool declined", {{"plugin", spec_.plugin},
                                              {"tool", spec_.name},
                                              {"turn_id", run_.turn.str()},
                                              {"reason", Message(admitted.status())}});
    co_return Declined(std::string(Message(admitted.status())));
  }
  if (++open_ == 1) StopTime();
  const QuestionId id = NewQuestionId(core_.deps.ids);
  tool::Answer answer;
  if (absl::Status recorded = co_await RecordQuestion(id, *admitted); recorded.ok()) {
    answer = co_await Wait(id, *admitted, context);
    recorded = co_await RecordAnswer(id, answer);
    if (!recorded.ok()) answer = Unanswered("the answer could not be recorded");
    const std::shared_ptr<OpenQuestion> open = std::exchange(run_.questions[id], nullptr);
    run_.questions.erase(id);
    for (const auto& waiter : open->until_taken) waiter->Set(recorded);
    for (TurnObserver* observer : open->shown_to) observer->OnQuestionClosed(id, answer.action);
  } else {
    answer = Unanswered("the question could not be recorded");
  }
  if (--open_ == 0) {
    deadline_ += core_.deps.clock.SteadyNow() - stopped_at_;
    RunTime();
  }
  co_return answer;
}

io::Task<tool::Answer> LiveCall::Wait(const QuestionId& id, const guard::AdmittedQuestion& admitted,
                                      const CallContext& context) {
  const auto open = run_.questions[id] = std::make_shared<OpenQuestion>();
  open->form = admitted.form;
  open->shown = {.id = id,
                 .call_id = call_id_,
                 .tool = spec_.name,
                 .plugin = spec_.plugin,
                 .text = admitted.text,
                 .schema = admitted.schema,
                 .fields = admitted.fields,
                 .url = admitted.url,
                 .timeout_ms = core_.options.question_timeout.count()};
  if (run_.input.mode == TurnMode::kChat) {
    for (TurnObserver* observer : run_.observers) {
      if (observer->OnQuestion(open->shown)) open->shown_to.push_back(observer);
    }
  }
  if (open->shown_to.empty()) co_return Unanswered("nobody is there to answer");
  const SteadyTime until = core_.deps.clock.SteadyNow() + core_.options.question_timeout;
  const io::TimerId timer = core_.deps.loop.CallAt(std::min(until, context_.deadline), [open] {
    open->answer.Set(Unanswered("nobody answered in time"));
  });
  const auto end = [open] { open->answer.Set(Unanswered("the call has ended")); };
  const auto call_ended = context.cancel.OnCancel(end);
  const auto turn_ended = context_.cancel.OnCancel(end);
  tool::Answer answer = co_await open->answer.Wait();
  core_.deps.loop.CancelTimer(timer);
  co_return answer;
}

io::Task<absl::Status> LiveCall::RecordQuestion(const QuestionId& id,
                                                const guard::AdmittedQuestion& admitted) {
  Json data = {{"question_id", id.str()},
               {"call_id", call_id_},
               {"tool", spec_.name},
               {"text", admitted.text}};
  if (!admitted.schema.empty()) data["schema"] = admitted.schema;
  if (!admitted.url.empty()) data["url"] = admitted.url;
  writer_.AddStep(journal::StepKind::kQuestionAsked, DumpJson(data));
  co_return co_await writer_.Flush();
}

io::Task<absl::Status> LiveCall::RecordAnswer(const QuestionId& id, const tool::Answer& answer) {
  Json data = {{"question_id", id.str()},
               {"call_id", call_id_},
               {"action", tool::AnswerActionName(answer.action)}};
  if (!answer.content.empty()) data["content"] = answer.content;
  if (!answer.reason.empty()) data["reason"] = answer.reason;
  writer_.AddStep(journal::StepKind::kQuestionAnswered, DumpJson(data));
  co_return co_await writer_.Flush();
}

io::Task<absl::Status> AnswerQuestion(TurnRun& run, QuestionId id, tool::AnswerAction action,
                                      std::string content) {
  const auto found = run.questions.find(id);
  if (found == run.questions.end() || found->second->answer.is_set()) {
    co_return NotFound(fmt::format("question '{}' is not open", id.str()));
  }
  const std::shared_ptr<OpenQuestion> open = found->second;
  tool::Answer answer{.action = action, .content = "", .reason = ""};
  if (action == tool::AnswerAction::kAccept && open->form != nullptr) {
    absl::Status valid = open->form->Validate(content, &answer.content);
    if (!valid.ok()) co_return Annotate(valid, "content");
  } else if (!content.empty()) {
    co_return InvalidArgument(action == tool::AnswerAction::kAccept
                                  ? "content: the question has no fields"
                                  : "content: only an accepted question has one");
  }
  const auto taken = std::make_shared<io::OneShot<absl::Status>>();
  open->until_taken.push_back(taken);
  open->answer.Set(std::move(answer));
  co_return co_await taken->Wait();
}

void LeaveQuestions(TurnRun& run, TurnObserver* observer) {
  for (const auto& [id, open] : run.questions) {
    if (std::erase(open->shown_to, observer) > 0 && open->shown_to.empty()) {
      open->answer.Set(Unanswered("nobody is there to answer any more"));
    }
  }
}

}  // namespace talon::agent
