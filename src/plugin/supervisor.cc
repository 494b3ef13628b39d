// SPDX-License-Identifier: Apache-2.0
// Calls of a plugin. How it becomes known is in supervisor_start.cc, when its process runs in
// supervisor_process.cc.
#include "plugin/supervisor.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "plugin/contract.h"

namespace talon::plugin {
namespace {

// A gRPC server ends a call at its deadline by itself, by its own clock: that is the same as
// silence.
constexpr std::chrono::milliseconds kDeadlineSlack{20};

}  // namespace

absl::Status Supervisor::Named(const absl::Status& error) const {
  return Annotate(error, fmt::format("plugin '{}'", name_));
}

void Supervisor::NoteFailure(const absl::Status& error) {
  ++failures_;
  last_error_ = Message(error);
}

void Supervisor::Refuse(const absl::Status& why) {
  loaded_ = false;
  state_ = PluginState::kFailed;
  last_error_ = Message(why);
  log::Warn("plugin is not offered", {{"plugin", name_}, {"reason", last_error_}});
}

// `error` of a call, named and counted. What is known of the program, from the second line on, is
// for the operator's eyes and not the caller's.
absl::Status Supervisor::Failed(const absl::Status& error, std::string_view what) {
  const absl::Status named = Annotate(error, fmt::format("plugin '{}': {}", name_, what));
  NoteFailure(named);
  const std::string_view text = Message(named);
  absl::Status first_line =
      MakeError(named.code(), ReasonOf(named), text.substr(0, text.find('\n')));
  const long retry_after_ms = RetryAfterMsOf(named);
  return retry_after_ms > 0 ? WithRetryAfter(std::move(first_line), retry_after_ms) : first_line;
}

io::Task<absl::StatusOr<tool::ToolOutput>> Supervisor::Execute(const Manifest::Tool& tool,
                                                               tool::Invocation invocation,
                                                               CallContext context) {
  const auto self = shared_from_this();
  ++calls_;
  auto answer = EncodeExecute(invocation, tool.name, context.principal);
  if (answer.ok()) {
    answer = co_await CallAgain(kExecuteMethod, *std::move(answer), std::move(context),
                                tool.spec.read_only ? Repeat::kIfCrashed : Repeat::kOnce);
  }
  absl::StatusOr<tool::ToolOutput> output = answer.ok() ? DecodeExecute(*answer) : answer.status();
  if (!output.ok()) output = Failed(output.status(), fmt::format("execute '{}'", tool.name));
  co_return output;
}

io::Task<absl::StatusOr<std::string>> Supervisor::Call(std::string_view method, std::string request,
                                                       CallContext context, Repeat repeat) {
  const auto self = shared_from_this();
  const std::string_view what = method.substr(method.rfind('/') + 1);
  if (!loaded_) {
    co_return FailedPrecondition(
        fmt::format("plugin '{}': {}: it is not in use: {}", name_, what,
                    entry_.enabled ? std::string_view(last_error_).substr(0, last_error_.find('\n'))
                                   : std::string_view("its entry says `enabled: false`")));
  }
  ++calls_;
  auto answer = co_await CallAgain(method, std::move(request), std::move(context), repeat);
  if (!answer.ok()) answer = Failed(answer.status(), what);
  co_return answer;
}

io::Task<absl::StatusOr<std::string>> Supervisor::CallAgain(std::string_view method,
                                                            std::string request,
                                                            CallContext context, Repeat repeat) {
  bool crashed = false;
  std::string again = repeat == Repeat::kIfCrashed ? request : "";
  auto answer = co_await CallOnce(method, std::move(request), context, &crashed);
  if (crashed && repeat == Repeat::kIfCrashed) {
    answer = co_await CallOnce(method, std::move(again), context, &crashed);
  }
  co_return answer;
}

io::Task<absl::StatusOr<std::string>> Supervisor::CallOnce(std::string_view method,
                                                           std::string request, CallContext context,
                                                           bool* crashed) {
  *crashed = false;
  TALON_CO_ASSIGN_OR_RETURN(const Process process, co_await Acquire(context));
  const SteadyTime begin = dependencies_.clock.SteadyNow();
  auto answer = co_await process->Call(method, std::move(request), context);
  last_used_ = dependencies_.clock.SteadyNow();
  if (answer.ok()) co_return answer;
  *crashed = ReasonOf(answer.status()) == ErrorReason::kPluginCrashed;
  if (absl::IsDeadlineExceeded(answer.status()) &&
      last_used_ + kDeadlineSlack >= context.deadline) {
    if (process == process_ && ++abandoned_ >= dependencies_.options.max_abandoned_calls) {
      Replace("too many calls passed their deadline");
    }
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(last_used_ - begin);
    co_return DeadlineExceeded(fmt::format("no answer within {} ms", taken.count()));
  }
  co_return answer.status();
}

PluginInfo Supervisor::Info() const {
  PluginInfo info;
  info.name = name_;
  info.path = program_;
  info.version = manifest_.version;
  info.description = manifest_.description;
  info.state = entry_.enabled ? state_ : PluginState::kDisabled;
  if (process_ != nullptr) info.pid = process_->pid();
  info.calls = calls_;
  info.failures = failures_;
  info.restarts = restarts_;
  info.last_error = last_error_;
  info.sandbox = DescribeSandbox();
  for (const Manifest::Tool& tool : manifest_.tools) info.tools.push_back(tool.spec.name);
  return info;
}

}  // namespace talon::plugin
