// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_process.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "plugin/contract.h"
#include "plugin/diagnosis.h"
#include "plugin/handshake.h"

namespace talon::plugin {
namespace {

// For what a dead process still has in its pipes; a grandchild may hold them open for ever.
constexpr std::chrono::milliseconds kLastWords{200};
// A process that SIGKILL does not end hangs in the kernel; the loop reaps it when it can.
constexpr std::chrono::seconds kKillWait{5};
constexpr std::string_view kEndedEarly = "handshake: the plugin ended without one";

SteadyTime Now() {
  return std::chrono::steady_clock::now();
}

StderrLog::Sink LogSink(std::string plugin) {
  return [plugin = std::move(plugin)](const StderrLine& line) {
    if (log::Enabled(line.level)) {
      log::Write(line.level, "plugin stderr", {{"plugin", plugin}, {"text", line.text}});
    }
  };
}

}  // namespace

PluginProcess::PluginProcess(io::Loop& loop, LaunchSpec spec, const HostOptions& options,
                             const Redactor& redactor)
    : loop_(loop),
      spec_(std::move(spec)),
      options_(options),
      redactor_(redactor),
      tasks_(loop),
      stderr_(options, LogSink(spec_.name)),
      stderr_end_(std::make_shared<io::OneShot<bool>>()) {}

PluginProcess::~PluginProcess() {
  TALON_CHECK(process_ == nullptr);
}

io::Task<absl::Status> PluginProcess::Start(CallContext context) {
  auto folder = co_await loop_.Blocking([spec = spec_] { return MakeDirectoriesFor(spec); });
  if (!folder.ok()) co_return folder.status();
  socket_directory_ = *std::move(folder);
  auto process = io::Spawn(loop_, MakeSpawnOptions(spec_, socket_directory_));
  if (!process.ok()) co_return process.status();
  process_ = *std::move(process);
  pid_ = process_->pid();
  tasks_.Spawn(PumpStdout());
  tasks_.Spawn(PumpStderr());
  tasks_.Spawn(WatchExit());
  tasks_.Spawn(Record());

  TALON_CO_ASSIGN_OR_RETURN(const std::string line, co_await ReadHandshake(context));
  TALON_CO_ASSIGN_OR_RETURN(const Handshake handshake, ParseHandshake(line));
  if (handshake.dialect != Dialect::kGoPlugin) {
    co_return absl::UnimplementedError(
        "handshake: the plugin speaks the OpenTalon protocol, which this daemon does not serve");
  }
  TransportLimits limits;
  limits.max_message_bytes = options_.max_message.value;
  limits.max_calls = options_.max_calls;
  auto transport =
      co_await ConnectUnix(loop_, handshake.socket_path, limits, context, process_->pid());
  if (!transport.ok()) co_return transport.status();
  transport_ = *std::move(transport);
  transport_->OnClosed([this] { Ended(); });
  co_return absl::OkStatus();
}

io::Task<absl::StatusOr<std::string>> PluginProcess::ReadHandshake(CallContext context) {
  const auto timer = loop_.CallAt(context.deadline, [this] {
    handshake_.Set(DeadlineExceeded("handshake: the plugin printed none in time"));
  });
  const auto registration =
      context.cancel.OnCancel([this, token = context.cancel] { handshake_.Set(token.status()); });
  auto line = co_await handshake_.Wait();
  loop_.CancelTimer(timer);
  co_return line;
}

// The first line is the handshake; the rest is thrown away, or the plugin would block on its
// output.
io::Task<void> PluginProcess::PumpStdout() {
  std::string line;
  while (true) {
    const auto bytes = co_await process_->ReadStdout();
    if (!bytes.ok() || bytes->empty()) break;
    if (handshake_.is_set()) {
      stray_output_ += bytes->size();
      continue;
    }
    line += *bytes;
    const std::size_t end = line.find('\n');
    if (std::min(end, line.size()) > options_.max_handshake.value) {
      handshake_.Set(InvalidArgument(fmt::format(
          "handshake: the plugin's first line exceeds {} bytes", options_.max_handshake.value)));
    } else if (end != std::string::npos) {
      stray_output_ = line.size() - end - 1;
      handshake_.Set(line.substr(0, end));
    }
  }
  if (handshake_.is_set() || process_ == nullptr) co_return;
  const bool exited = co_await ExitsBy(Now() + kLastWords);
  handshake_.Set(
      Unavailable(exited ? kEndedEarly : "handshake: the plugin closed its stdout without one"));
}

io::Task<void> PluginProcess::PumpStderr() {
  while (true) {
    const auto bytes = co_await process_->ReadStderr();
    if (!bytes.ok() || bytes->empty()) break;
    stderr_.Feed(*bytes, Now());
  }
  stderr_end_->Set(true);
}

io::Task<void> PluginProcess::WatchExit() {
  CallContext context;
  context.cancel = stopped_.token();
  if (!(co_await process_->Wait(context)).ok()) co_return;
  handshake_.Set(Unavailable(kEndedEarly));
  Ended();
}

io::Task<void> PluginProcess::Record() {
  co_await loop_.Blocking([folder = socket_directory_, pid = pid_] {
    RecordOwner(folder, pid);
    return true;
  });
}

void PluginProcess::Ended() {
  if (std::exchange(ended_, true)) return;
  if (on_ended_) std::exchange(on_ended_, nullptr)();
}

void PluginProcess::OnEnded(absl::AnyInvocable<void()> callback) {
  if (ended_) return loop_.Post(std::move(callback));
  on_ended_ = std::move(callback);
}

bool PluginProcess::alive() const {
  return !ended_ && transport_ != nullptr && transport_->alive();
}

io::Task<absl::StatusOr<std::string>> PluginProcess::Call(std::string_view method,
                                                          std::string request,
                                                          CallContext context) {
  if (transport_ == nullptr) {
    co_return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kPluginCrashed,
                        "the plugin has ended");
  }
  ++calls_;
  auto result = co_await transport_->Call(method, std::move(request), std::move(context));
  if (--calls_ == 0 && drained_ != nullptr) drained_->Set(true);
  co_return result;
}

io::Task<void> PluginProcess::Drained(SteadyTime deadline) {
  if (calls_ == 0) co_return;
  const auto drained = std::make_shared<io::OneShot<bool>>();
  drained_ = drained;
  const auto timer = loop_.CallAt(deadline, [drained] { drained->Set(false); });
  co_await drained->Wait();
  loop_.CancelTimer(timer);
}

io::Task<bool> PluginProcess::ExitsBy(SteadyTime deadline) {
  CallContext context;
  context.deadline = deadline;
  const auto result = co_await process_->Wait(context);
  if (result.ok()) exit_ = *result;
  co_return result.ok();
}

io::Task<void> PluginProcess::AskToEnd() {
  const SteadyTime grace = Now() + options_.stop_grace;
  if (alive()) {
    CallContext context;
    context.deadline = grace;
    // It may end before it answers: any answer is one.
    (void)co_await transport_->Call(kShutdownMethod, "", context);
  }
  if (co_await ExitsBy(grace)) co_return;
  process_->Signal(SIGTERM);
  if (co_await ExitsBy(Now() + options_.stop_grace / 2)) co_return;
  log::Warn("plugin did not end when asked and is killed", {{"plugin", spec_.name}, {"pid", pid_}});
}

io::Task<void> PluginProcess::StderrEnds() {
  const auto end = stderr_end_;
  const auto timer = loop_.CallAt(Now() + kLastWords, [end] { end->Set(false); });
  co_await end->Wait();
  loop_.CancelTimer(timer);
}

void PluginProcess::Kill() {
  if (process_ == nullptr) return;
  if (!process_->exited()) killed_ = true;
  process_->Signal(SIGKILL);  // its whole group, which may outlive it
}

io::Task<void> PluginProcess::Stop(StopKind kind) {
  on_ended_ = nullptr;
  if (process_ != nullptr) {
    if (kind == StopKind::kGraceful) co_await AskToEnd();
    // A dying process loses its connection first: how it died is worth the moment.
    if (kind == StopKind::kKill && ended_) co_await ExitsBy(Now() + kLastWords);
    Kill();
    co_await ExitsBy(Now() + kKillWait);
    transport_.reset();
    co_await StderrEnds();
  }
  stopped_.Cancel(Cancelled("the plugin is stopped"));
  process_.reset();
  co_await tasks_.Join();
  if (!socket_directory_.empty()) {
    co_await loop_.Blocking([folder = socket_directory_] {
      RemoveSocketDirectory(folder);
      return true;
    });
  }
}

std::string PluginProcess::ExitText() const {
  if (!exit_) return pid_ == 0 ? "never started" : "still running";
  if (killed_) return "killed by the daemon";
  if (exit_->signal == 0) return fmt::format("exit code {}", exit_->code);
  const char* name = ::strsignal(exit_->signal);
  return fmt::format("signal {} ({})", exit_->signal, name == nullptr ? "unknown" : name);
}

io::Task<absl::Status> PluginProcess::Explain(absl::Status cause) {
  const std::string program =
      co_await loop_.Blocking([path = spec_.program] { return DescribeProgram(path); });
  const std::string tail = redactor_.Redact(stderr_.Tail());
  co_return MakeError(cause.code(), ReasonOf(cause),
                      fmt::format("{}\n  program: {}\n  ended: {}\n  stderr: {}", Message(cause),
                                  program, ExitText(), tail.empty() ? "(nothing)" : tail));
}

}  // namespace talon::plugin
