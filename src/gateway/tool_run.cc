// SPDX-License-Identifier: Apache-2.0
#include "gateway/tool_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"
#include "gateway/api.h"
#include "gateway/call_events.h"
#include "gateway/turn_stream.h"
#include "guard/guard.h"
#include "guard/question.h"
#include "hook/hooks.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "io/sse.h"
#include "plugin/host.h"
#include "tool/catalogue.h"

namespace talon::gateway {

struct AskedPerson {
  std::shared_ptr<const tool::Schema> form;  // null: no fields
  Principal asked;
  io::OneShot<tool::Answer> answer;
};

namespace {

// A plugin that is not in use has no tools in the catalogue: it is that which is to be told.
absl::Status WhyUnusable(const plugin::Host& host, const std::string& name) {
  using plugin::PluginState;
  for (const plugin::PluginInfo& info : host.List()) {
    if (info.name != name) continue;
    const std::string error = info.last_error.substr(0, info.last_error.find('\n'));
    switch (info.state) {
      case PluginState::kDisabled:
        return FailedPrecondition(
            fmt::format("plugin '{}': it is disabled; `talon plugins enable {}`", name, name));
      case PluginState::kUntrusted:
      case PluginState::kFailed:
        return FailedPrecondition(fmt::format("plugin '{}': it is {}: {}", name,
                                              plugin::PluginStateName(info.state), error));
      case PluginState::kStarting:
        return info.tools.empty()
                   ? Unavailable(fmt::format("plugin '{}': it is being asked what it offers; try "
                                             "again in a moment",
                                             name))
                   : absl::OkStatus();
      default:
        return absl::OkStatus();
    }
  }
  return NotFound(
      fmt::format("plugin '{}': no such plugin; `talon plugins` lists those there are", name));
}

tool::Answer Unanswered(std::string reason) {
  return {.action = tool::AnswerAction::kCancel, .content = "", .reason = std::move(reason)};
}

tool::Answer Declined(std::string reason) {
  return {.action = tool::AnswerAction::kDecline, .content = "", .reason = std::move(reason)};
}

// Events of a call as a stream; its end is what it came to.
class RunStream : public CallEvents {
 public:
  std::string Text(std::string_view) override { return ""; }
  std::string Reasoning(std::string_view) override { return ""; }
  std::string ToolStart(const agent::ToolActivity&) override { return ""; }
  std::string ToolResult(const agent::ToolActivity&) override { return ""; }
  std::string End(const agent::TurnOutcome&) override {
    return result_.ok() ? io::FormatSse("done", DumpJson(*result_))
                        : io::FormatSse("error", ErrorBody(result_.status()));
  }
  void set_result(absl::StatusOr<Json> result) { result_ = std::move(result); }

 private:
  absl::StatusOr<Json> result_ = Internal("the call has not ended");
};

}  // namespace

class ToolRun : public tool::CallEvents {
 public:
  ToolRun(ToolRuns& runs, const ApiRequest& request)
      : runs_(runs), deps_(runs.deps_), request_(request), over_(request.client_gone) {}
  ~ToolRun() override { deps_.loop.CancelTimer(timer_); }

  // What the request asks for, through guard and hooks. An error means that nothing ran.
  io::Task<absl::Status> Prepare(std::string plugin);
  // With `stream` the person is there.
  io::Task<absl::StatusOr<Json>> Execute(TurnStream* stream);
  bool streams() const { return streams_; }
  void End(absl::Status why) { over_.Cancel(std::move(why)); }

  void OnProgress(const tool::Progress& progress) override;
  io::Task<tool::Answer> Ask(tool::Question question, CallContext context) override;

 private:
  guard::CheckedCall Check(std::string arguments) const;
  io::Task<hook::Advice> Advise(hook::Joinpoint at, std::string value);
  bool IsAdvised(hook::Joinpoint at) const {
    return deps_.hooks != nullptr && deps_.hooks->Any(at);
  }
  io::Task<absl::Status> AdviseCall();
  io::Task<absl::Status> AdviseResult(tool::ToolOutput& output);
  // Of a tool that asks; see LiveCall.
  void RunTime();

  ToolRuns& runs_;
  Dependencies& deps_;
  const ApiRequest& request_;
  CancelSource over_;
  TurnStream* stream_ = nullptr;
  bool streams_ = false;
  Principal principal_;
  std::shared_ptr<tool::Tool> tool_;
  tool::ToolSpec spec_;
  std::string name_, arguments_, call_id_;
  SteadyTime deadline_, stopped_at_{}, next_progress_{};
  io::TimerId timer_{};
  std::uint32_t asked_ = 0;
  int open_ = 0;  // questions
};

guard::CheckedCall ToolRun::Check(std::string arguments) const {
  guard::CallRequest ask;
  ask.tool = name_;
  ask.arguments = std::move(arguments);
  ask.principal = principal_;
  ask.from_user = true;
  return deps_.guard.CheckCall(ask);
}

io::Task<absl::Status> ToolRun::Prepare(std::string plugin) {
  TALON_CO_ASSIGN_OR_RETURN(const Json body, ParseJson(request_.body, "request body"));
  for (const auto& [member, kind] :
       {std::pair{"tool", JsonKind::kString}, std::pair{"arguments", JsonKind::kObject},
        std::pair{"stream", JsonKind::kBool}}) {
    TALON_CO_RETURN_IF_ERROR(CheckMember(body, member, kind));
  }
  streams_ = JsonBool(body, "stream");
  principal_ = PrincipalOf(request_, "cli");
  const std::string tool = JsonString(body, "tool"), prefix = plugin + "__";
  // Also as a model calls it.
  const bool whole = tool.starts_with(prefix) && deps_.catalogue.Find(prefix + tool) == nullptr;
  name_ = whole ? tool : prefix + tool;
  const Json* arguments = JsonFind(body, "arguments");
  guard::CheckedCall checked = Check(arguments == nullptr ? "{}" : DumpJson(*arguments));
  if (checked.decision.verdict != hook::Verdict::kAllow || checked.entry == nullptr) {
    absl::Status unusable = WhyUnusable(deps_.plugins, plugin);
    co_return unusable.ok() ? InvalidArgument(checked.decision.reason) : unusable;
  }
  tool_ = checked.entry->tool;
  spec_ = tool_->spec();
  if (spec_.plugin != plugin) {
    co_return NotFound(fmt::format("plugin '{}' has no such tool", plugin));
  }
  arguments_ = std::move(checked.arguments);
  call_id_ = "call_" + deps_.ids.Next();
  co_return co_await AdviseCall();
}

io::Task<hook::Advice> ToolRun::Advise(hook::Joinpoint at, std::string value) {
  CallContext context;
  context.principal = principal_;
  context.cancel = over_.token();
  co_return co_await deps_.hooks->Ask(
      {.at = at, .session = {}, .turn = {}, .tool = name_, .value = std::move(value)},
      std::move(context));
}

io::Task<absl::Status> ToolRun::AdviseCall() {
  constexpr auto kAt = hook::Joinpoint::kToolBeforeCall;
  if (!IsAdvised(kAt)) co_return absl::OkStatus();
  const hook::Advice advice = co_await Advise(kAt, arguments_);
  if (advice.blocks()) co_return PermissionDenied(advice.decision.reason);
  if (!advice.rewrites()) co_return absl::OkStatus();
  guard::CheckedCall checked = Check(advice.decision.value);
  if (checked.decision.verdict != hook::Verdict::kAllow) {
    co_return PermissionDenied(
        fmt::format("what a hook made of the call: {}", checked.decision.reason));
  }
  arguments_ = std::move(checked.arguments);
  co_return absl::OkStatus();
}

io::Task<absl::Status> ToolRun::AdviseResult(tool::ToolOutput& output) {
  constexpr auto kAt = hook::Joinpoint::kToolResultReceived;
  if (!IsAdvised(kAt)) co_return absl::OkStatus();
  std::string text = output.error;
  for (const std::string* part : {&output.content, &output.structured}) {
    if (part->empty() || (part == &output.structured && *part == output.content)) continue;
    if (!text.empty()) text += '\n';
    text += *part;
  }
  hook::Advice advice = co_await Advise(kAt, std::move(text));
  if (advice.blocks()) {
    co_return PermissionDenied(
        fmt::format("the tool has run, and its result is withheld: {}", advice.decision.reason));
  }
  if (advice.rewrites()) {
    (output.error.empty() ? output.content : output.error) = std::move(advice.decision.value);
    if (!output.error.empty()) output.content.clear();
    output.structured.clear();
  }
  co_return absl::OkStatus();
}

void ToolRun::RunTime() {
  timer_ = deps_.loop.CallAt(deadline_, [this] {
    over_.Cancel(DeadlineExceeded(
        fmt::format("tool '{}' did not answer in time (questions not counted)", name_)));
  });
}

io::Task<absl::StatusOr<Json>> ToolRun::Execute(TurnStream* stream) {
  stream_ = stream;
  deadline_ = deps_.clock.SteadyNow() +
              (spec_.timeout.count() > 0 ? spec_.timeout : deps_.guard.options().tool_timeout);
  CallContext context;
  context.principal = principal_;
  context.cancel = over_.token();
  if (spec_.asks) {
    RunTime();
  } else {
    context.deadline = deadline_;
  }
  tool::Invocation invocation;
  invocation.call_id = call_id_;
  invocation.tool = spec_.name;
  invocation.arguments = arguments_;
  if (!spec_.read_only) invocation.idempotency_key = call_id_;
  invocation.events = this;
  TALON_CO_ASSIGN_OR_RETURN(tool::ToolOutput output,
                            co_await tool_->Execute(std::move(invocation), std::move(context)));
  TALON_CO_RETURN_IF_ERROR(co_await AdviseResult(output));
  const guard::AdmittedResult result = deps_.guard.AdmitResult(spec_, call_id_, output, "");
  co_return Json{{"tool", spec_.name},
                 {"is_error", result.is_error},
                 {"text", result.overflow.empty() ? guard::PluginOutputText(result.content)
                                                  : result.overflow}};
}

void ToolRun::OnProgress(const tool::Progress& progress) {
  const SteadyTime now = deps_.clock.SteadyNow();
  if (stream_ == nullptr || now < next_progress_) return;
  next_progress_ = now + deps_.calls.progress_interval;
  stream_->OnToolProgress({.call_id = call_id_,
                           .tool = name_,
                           .text = deps_.guard.AdmitProgress(progress.text),
                           .done = progress.done,
                           .total = progress.total});
}

io::Task<tool::Answer> ToolRun::Ask(tool::Question question, CallContext context) {
  if (!spec_.asks) co_return Declined("the tool's manifest does not say that it asks");
  if (stream_ == nullptr) co_return Unanswered("nobody is there to answer");
  if (++asked_ > deps_.calls.max_questions) {
    co_return Declined(
        fmt::format("more than {} questions in one call (orchestrator.max_questions)",
                    deps_.calls.max_questions));
  }
  auto admitted = deps_.guard.AdmitQuestion(std::move(question));
  if (!admitted.ok()) co_return Declined(std::string(Message(admitted.status())));
  const QuestionId id = NewQuestionId(deps_.ids);
  const auto open = runs_.questions_[id.str()] = std::make_shared<AskedPerson>();
  open->form = admitted->form;
  open->asked = principal_;
  const auto timeout = deps_.calls.question_timeout;
  const bool shown = stream_->OnQuestion({.id = id,
                                          .call_id = call_id_,
                                          .tool = name_,
                                          .plugin = spec_.plugin,
                                          .text = admitted->text,
                                          .schema = admitted->schema,
                                          .fields = admitted->fields,
                                          .url = admitted->url,
                                          .timeout_ms = timeout.count()});
  if (!shown) open->answer.Set(Unanswered("nobody is there to answer"));
  if (++open_ == 1) {
    deps_.loop.CancelTimer(timer_);
    stopped_at_ = deps_.clock.SteadyNow();
  }
  const io::TimerId timer = deps_.loop.CallAt(deps_.clock.SteadyNow() + timeout, [open] {
    open->answer.Set(Unanswered("nobody answered in time"));
  });
  const auto end = [open] { open->answer.Set(Unanswered("the call has ended")); };
  const auto withdrawn = context.cancel.OnCancel(end);
  const auto ended = over_.token().OnCancel(end);
  tool::Answer answer = co_await open->answer.Wait();
  deps_.loop.CancelTimer(timer);
  runs_.questions_.erase(id.str());
  stream_->OnQuestionClosed(id, answer.action);
  if (--open_ == 0) {
    deadline_ += deps_.clock.SteadyNow() - stopped_at_;
    RunTime();
  }
  co_return answer;
}

io::Task<void> ToolRuns::Run(const ApiRequest& request, std::string plugin,
                             io::ResponseWriter& writer) {
  ToolRun run(*this, request);
  if (absl::Status ready = co_await run.Prepare(std::move(plugin)); !ready.ok()) {
    co_return co_await Reply(writer, ErrorResponse(ready));
  }
  if (!run.streams()) {
    const auto result = co_await run.Execute(nullptr);
    co_return co_await Reply(writer, result.ok() ? JsonResponse(200, DumpJson(*result))
                                                 : ErrorResponse(result.status()));
  }
  io::ServerResponse head;
  head.headers.Set("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.Set("Cache-Control", "no-cache");
  absl::Status written = co_await writer.StartStream(std::move(head));
  if (!written.ok()) co_return;
  RunStream format;
  TurnStream stream(format, deps_.loop, deps_.clock, options_, request.headers);
  io::Nursery work(deps_.loop);
  work.Spawn([](ToolRun* running, RunStream* told, TurnStream* out) -> io::Task<void> {
    told->set_result(co_await running->Execute(out));
    out->OnEnd({});
  }(&run, &format, &stream));
  written = co_await stream.Pump(writer);
  if (!written.ok()) run.End(Cancelled("the client went away"));
  co_await work.Join();
}

io::ServerResponse ToolRuns::Answer(const ApiRequest& request, const std::string& question) {
  const auto body = ParseJson(request.body, "request body");
  if (!body.ok()) return ErrorResponse(body.status());
  for (const auto& [member, kind] :
       {std::pair{"action", JsonKind::kString}, std::pair{"content", JsonKind::kObject}}) {
    absl::Status status = CheckMember(*body, member, kind);
    if (!status.ok()) return ErrorResponse(status);
  }
  const auto action = tool::ParseAnswerAction(JsonString(*body, "action"));
  if (!action.ok()) return ErrorResponse(action.status());
  const auto found = questions_.find(question);
  if (found == questions_.end() || found->second->answer.is_set() ||
      !IsOwn(request.caller, found->second->asked)) {
    return ErrorResponse(NotFound(fmt::format("question '{}' is not open", question)));
  }
  AskedPerson& open = *found->second;
  tool::Answer answer{.action = *action, .content = "", .reason = ""};
  const Json* content = JsonFind(*body, "content");
  const bool given = content != nullptr && !content->is_null();
  if (*action == tool::AnswerAction::kAccept && open.form != nullptr) {
    absl::Status valid = open.form->Validate(given ? DumpJson(*content) : "", &answer.content);
    if (!valid.ok()) return ErrorResponse(Annotate(valid, "content"));
  } else if (given) {
    return ErrorResponse(InvalidArgument("content: only an accepted question with fields has one"));
  }
  open.answer.Set(std::move(answer));
  return JsonResponse(
      200, DumpJson({{"question", question}, {"action", tool::AnswerActionName(*action)}}));
}

}  // namespace talon::gateway
