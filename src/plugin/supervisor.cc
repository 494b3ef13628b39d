// SPDX-License-Identifier: Apache-2.0
// Calls of a plugin. How it becomes known is in supervisor_start.cc, when its process runs in
// supervisor_process.cc.
#include "plugin/supervisor.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "plugin/contract.h"
#include "plugin/conversation.h"
#include "plugin/talk.h"

namespace talon::plugin {
namespace {

// A gRPC server ends a call at its deadline by itself, by its own clock: that is the same as
// silence.
constexpr std::chrono::milliseconds kDeadlineSlack{20};

// "Get" of "/talon.v1.Storage/Get".
std::string_view MethodName(std::string_view method) {
  return method.substr(method.rfind('/') + 1);
}

}  // namespace

class Supervisor::Busy {
 public:
  explicit Busy(Supervisor& supervisor) : supervisor_(supervisor) { ++supervisor_.busy_; }
  ~Busy() {
    if (--supervisor_.busy_ > 0) return;
    for (const auto& waiter : std::exchange(supervisor_.drain_waiters_, {})) waiter->Set(true);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  Supervisor& supervisor_;
};

absl::Status Supervisor::Named(const absl::Status& error) const {
  return Annotate(error, fmt::format("plugin '{}'", name_));
}

void Supervisor::NoteFailure(const absl::Status& error) {
  ++failures_;
  last_error_ = Message(error);
}

void Supervisor::Refuse(const absl::Status& why) {
  loaded_ = false;
  const bool untrusted = ReasonOf(why) == ErrorReason::kDenied;
  state_ = untrusted ? PluginState::kUntrusted : PluginState::kFailed;
  last_error_ = Message(why);
  log_->Note("not offered: " + last_error_);
  log::Warn("plugin is not offered", {{"plugin", name_}, {"reason", last_error_}});
}

void Supervisor::NoteRefusedReload(const absl::Status& why) {
  last_error_ = fmt::format("not reloaded, the old one goes on: {}", Message(why));
  log_->Note(last_error_);
  log::Warn("plugin is not reloaded", {{"plugin", name_}, {"reason", Message(why)}});
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
    Exchange exchange{.method = kExecuteMethod,
                      .request = *std::move(answer),
                      .repeat = tool.spec.read_only ? Repeat::kIfCrashed : Repeat::kOnce,
                      .events = invocation.events};
    if (tool.streams) exchange.method = kExecuteStreamMethod;
    if (tool.asks) exchange.method = kConverseMethod;
    answer = co_await CallAgain(std::move(exchange), std::move(context));
  }
  absl::StatusOr<tool::ToolOutput> output = answer.ok() ? DecodeExecute(*answer) : answer.status();
  if (!output.ok()) output = Failed(output.status(), fmt::format("execute '{}'", tool.name));
  co_return output;
}

absl::Status Supervisor::NotInUse(std::string_view what) const {
  const std::string_view why = std::string_view(last_error_).substr(0, last_error_.find('\n'));
  return FailedPrecondition(
      fmt::format("plugin '{}': {}: it is not in use: {}", name_, what,
                  entry_.enabled ? why : std::string_view("its entry says `enabled: false`")));
}

io::Task<absl::StatusOr<std::string>> Supervisor::Call(std::string_view method, std::string request,
                                                       CallContext context, Repeat repeat) {
  const auto self = shared_from_this();
  const std::string_view what = MethodName(method);
  if (!loaded_) co_return NotInUse(what);
  ++calls_;
  auto answer = co_await CallAgain(
      {.method = method, .request = std::move(request), .repeat = repeat}, std::move(context));
  if (!answer.ok()) answer = Failed(answer.status(), what);
  co_return answer;
}

// A stream whose errors say whose they are.
class Supervisor::NamedStream : public PluginStream {
 public:
  NamedStream(std::shared_ptr<Supervisor> supervisor, std::string_view what,
              std::unique_ptr<Busy> busy, Process process, std::unique_ptr<PluginStream> stream)
      : supervisor_(std::move(supervisor)),
        what_(what),
        busy_(std::move(busy)),
        process_(std::move(process)),
        stream_(std::move(stream)) {}
  ~NamedStream() override {
    supervisor_->last_used_ = supervisor_->dependencies_.clock.SteadyNow();
  }
  io::Task<absl::Status> Write(std::string message) override {
    return stream_->Write(std::move(message));
  }
  void CloseWrites() override { stream_->CloseWrites(); }
  io::Task<absl::StatusOr<std::optional<std::string>>> Read() override {
    auto next = co_await stream_->Read();
    if (!next.ok()) next = supervisor_->Failed(process_->WhyEnded(next.status()), what_);
    co_return next;
  }

 private:
  const std::shared_ptr<Supervisor> supervisor_;  // shared: the host may load anew meanwhile
  const std::string_view what_;
  const std::unique_ptr<Busy> busy_;
  const Process process_;
  const std::unique_ptr<PluginStream> stream_;
};

io::Task<absl::StatusOr<std::unique_ptr<PluginStream>>> Supervisor::Open(std::string_view method,
                                                                         CallContext context) {
  const auto self = shared_from_this();
  const std::string_view what = MethodName(method);
  if (!loaded_) co_return NotInUse(what);
  ++calls_;
  auto busy = std::make_unique<Busy>(*this);  // while the stream lives
  const auto process = co_await Acquire(context);
  if (!process.ok()) co_return Failed(process.status(), what);
  auto stream = (*process)->Open(method, std::move(context));
  if (!stream.ok()) co_return Failed(stream.status(), what);
  co_return std::make_unique<NamedStream>(self, what, std::move(busy), *process,
                                          *std::move(stream));
}

io::Task<absl::StatusOr<std::string>> Supervisor::CallAgain(Exchange exchange,
                                                            CallContext context) {
  const Busy busy(*this);
  bool crashed = false;
  if (exchange.repeat == Repeat::kOnce) {
    co_return co_await CallOnce(std::move(exchange), std::move(context), &crashed);
  }
  auto answer = co_await CallOnce(exchange, context, &crashed);
  if (crashed) answer = co_await CallOnce(std::move(exchange), std::move(context), &crashed);
  co_return answer;
}

io::Task<absl::StatusOr<std::string>> Supervisor::Converse(io::Loop& loop, PluginProcess& process,
                                                           Exchange exchange, CallContext context,
                                                           std::size_t max_questions) {
  Conversation conversation(loop,
                            exchange.method == kConverseMethod ? Talk::kQuestions : Talk::kUpdates,
                            exchange.events, std::move(context), max_questions);
  auto stream = process.Open(exchange.method, conversation.context());
  if (!stream.ok()) co_return stream.status();
  co_return co_await conversation.Run(**stream, std::move(exchange.request));
}

io::Task<absl::StatusOr<std::string>> Supervisor::CallOnce(Exchange exchange, CallContext context,
                                                           bool* crashed) {
  *crashed = false;
  TALON_CO_ASSIGN_OR_RETURN(const Process process, co_await Acquire(context));
  const SteadyTime begin = dependencies_.clock.SteadyNow();
  const bool talks = exchange.method == kExecuteStreamMethod || exchange.method == kConverseMethod;
  auto answer = talks
                    ? co_await Converse(loop_, *process, std::move(exchange), context,
                                        dependencies_.options.max_open_questions)
                    : co_await process->Call(exchange.method, std::move(exchange.request), context);
  last_used_ = dependencies_.clock.SteadyNow();
  if (answer.ok()) co_return answer;
  *crashed = ReasonOf(answer.status()) == ErrorReason::kPluginCrashed;
  const bool late = last_used_ + kDeadlineSlack >= context.deadline ||
                    absl::IsDeadlineExceeded(context.cancel.status());
  if (absl::IsDeadlineExceeded(answer.status()) && late) {
    if (process == process_ && ++abandoned_ >= dependencies_.options.max_abandoned_calls) {
      Replace("too many calls passed their deadline");
    }
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(last_used_ - begin);
    co_return DeadlineExceeded(fmt::format("no answer within {} ms", taken.count()));
  }
  co_return process->WhyEnded(answer.status());
}

PluginInfo Supervisor::Info() const {
  PluginInfo info;
  info.name = name_;
  info.path = found_.program;
  info.origin = found_.origin;
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
