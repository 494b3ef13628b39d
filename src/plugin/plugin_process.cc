// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "plugin/connect.h"
#include "plugin/contract.h"
#include "plugin/diagnosis.h"
#include "plugin/disk_use.h"
#include "plugin/disk_watch.h"
#include "plugin/go_plugin.h"
#include "plugin/handshake.h"
#include "plugin/sandbox.h"

namespace talon::plugin {
namespace {

// For what a dead process still has in its pipes; a grandchild may hold them open for ever.
constexpr std::chrono::milliseconds kLastWords{200};
// A process that SIGKILL does not end hangs in the kernel; the loop reaps it when it can.
constexpr std::chrono::seconds kKillWait{5};
// From a socket's appearance to its first use: a socket is named before it listens.
constexpr std::chrono::milliseconds kSocketSettles{20};
// Between two looks at what a plugin writes; at least so many times what the last look took.
constexpr std::chrono::milliseconds kDiskPause{250};
constexpr std::chrono::milliseconds kDiskPauseUnwatched{2000};
constexpr int kDiskRest = 4;
constexpr std::string_view kEndedEarly = "handshake: the plugin ended without one";

constexpr std::size_t kCallerKeyBytes = 16;

LaunchSpec WithCallerKey(LaunchSpec spec) {
  spec.caller_key = RandomHex(kCallerKeyBytes);
  return spec;
}

SteadyTime Now() {
  return std::chrono::steady_clock::now();
}

absl::Status HasEnded() {
  return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kPluginCrashed,
                   "the plugin has ended");
}

}  // namespace

PluginProcess::PluginProcess(io::Loop& loop, LaunchSpec spec, const HostOptions& options,
                             PluginLog& log, Sandbox* sandbox)
    : loop_(loop),
      spec_(WithCallerKey(std::move(spec))),
      options_(options),
      log_(log),
      sandbox_(sandbox),
      tasks_(loop),
      stderr_(options, [this](const StderrLine& line) { log_.Add(line); }),
      stderr_end_(std::make_shared<io::OneShot<bool>>()) {}

PluginProcess::~PluginProcess() {
  TALON_CHECK(process_ == nullptr);
}

io::Task<absl::Status> PluginProcess::SpawnProgram(std::string certificate, CallContext context) {
  io::SpawnOptions direct = MakeSpawnOptions(spec_, socket_directory_, certificate);
  if (sandbox_ != nullptr && spec_.sandbox_plan.profile != SandboxProfile::kNone) {
    co_return co_await SpawnConfined(std::move(direct), context);
  }
  if (sandbox_ != nullptr) direct = sandbox_->Bound(std::move(direct));
  auto process = io::Spawn(loop_, direct);
  if (!process.ok()) co_return process.status();
  process_ = *std::move(process);
  co_return absl::OkStatus();
}

io::Task<absl::Status> PluginProcess::SpawnConfined(io::SpawnOptions direct, CallContext context) {
  co_await sandbox_->Probe(loop_);
  TALON_CO_ASSIGN_OR_RETURN(const auto launch, sandbox_->Begin(spec_, direct.program_fd));
  auto process = io::Spawn(loop_, launch->spawn);
  if (!process.ok()) co_return process.status();
  auto group = co_await loop_.Blocking([this, direct = std::move(direct), launch] {
    return sandbox_->Prepare(spec_, socket_directory_, direct, launch->policy);
  });
  if (!group.ok()) co_return group.status();
  cgroup_ = *std::move(group);
  launch->Go();
  process_ = *std::move(process);
  // It reports within milliseconds; a file system that hangs must not hang the start.
  const auto timer = loop_.CallAt(context.deadline, [this] { process_->Signal(SIGKILL); });
  auto report = co_await ReadSandboxReport(*process_);
  loop_.CancelTimer(timer);
  if (!report.ok()) co_return report.status();
  report_ = *std::move(report);
  co_return ReportStatus(*report_, spec_.program);
}

io::Task<absl::Status> PluginProcess::Start(CallContext context) {
  auto folder = co_await loop_.Blocking([spec = spec_] { return MakeDirectoriesFor(spec); });
  if (!folder.ok()) co_return folder.status();
  socket_directory_ = *std::move(folder);
  TALON_CO_RETURN_IF_ERROR(WatchSocket());
  std::optional<TlsIdentity> identity;
  if (spec_.mtls == Mtls::kRequired) {
    auto made = co_await loop_.Blocking([] { return MakeTlsIdentity(); });
    if (!made.ok()) co_return made.status();
    identity = *std::move(made);
  }
  const absl::Status spawned =
      co_await SpawnProgram(identity ? identity->certificate_pem : "", context);
  if (process_ == nullptr) co_return spawned;
  pid_ = process_->pid();
  tasks_.Spawn(PumpStdout());
  tasks_.Spawn(PumpStderr());
  tasks_.Spawn(WatchExit());
  tasks_.Spawn(Record());
  if (report_) tasks_.Spawn(BoundDisk());
  if (!spawned.ok()) co_return spawned;

  TALON_CO_ASSIGN_OR_RETURN(const std::string line, co_await ReadHandshake(context));
  TALON_CO_ASSIGN_OR_RETURN(Handshake handshake, ParseHandshake(line, MakeOffer(spec_)));
  co_return co_await ConnectTo(std::move(handshake), std::move(identity), std::move(context));
}

// The appearance of the socket is the handshake.
absl::Status PluginProcess::WatchSocket() {
  if (!spec_.socket) return absl::OkStatus();
  const std::string& file = spec_.socket->file;
  TALON_ASSIGN_OR_RETURN(socket_watch_,
                         io::WatchFile(
                             loop_, socket_directory_, file,
                             [this, line = fmt::format("1|unix|{}/{}", socket_directory_, file)] {
                               handshake_.Set(line);
                             },
                             kSocketSettles));
  return absl::OkStatus();
}

io::Task<absl::Status> PluginProcess::ConnectTo(Handshake handshake,
                                                std::optional<TlsIdentity> identity,
                                                CallContext context) {
  dialect_ = handshake.dialect;
  socket_watch_.reset();
  const pid_t program = report_ && report_->program != 0 ? report_->program : pid_;
  auto transport = co_await ConnectPlugin(loop_, std::move(handshake),
                                          {spec_, options_, std::move(identity), program}, context);
  if (!transport.ok()) co_return transport.status();
  transport_ = *std::move(transport);
  transport_->OnClosed([this] { Ended(); });
  if (dialect_ == Dialect::kGoPlugin && spec_.protocol != Protocol::kTalon) {
    tasks_.Spawn(PumpStdio());
  }
  if (spec_.file != nullptr &&
      !co_await loop_.Blocking([file = spec_.file] { return file->Unchanged(); })) {
    co_return absl::AbortedError("the program was changed while it started; try again");
  }
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
    if (spec_.socket) continue;
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
  if (handshake_.is_set() || spec_.socket || process_ == nullptr) co_return;
  const bool exited = co_await ExitsBy(Now() + kLastWords);
  handshake_.Set(
      Unavailable(exited ? kEndedEarly : "handshake: the plugin closed its stdout without one"));
}

io::Task<void> PluginProcess::PumpStdio() {
  if (transport_ == nullptr) co_return;
  StderrLog printed(options_, [this](const StderrLine& line) { log_.Add(line); });
  co_await ReadGoPluginStdio(*transport_, [&](const StdioPiece& piece) {
    (piece.is_stderr ? stderr_ : printed).Feed(piece.data, Now());
  });
}

io::Task<void> PluginProcess::PumpStderr() {
  while (true) {
    const auto bytes = co_await process_->ReadStderr();
    if (!bytes.ok() || bytes->empty()) break;
    stderr_.Feed(*bytes, Now());
  }
  stderr_.Finish(Now());
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

// Looks at what it has written when it has written, and ends it when that is too much.
io::Task<void> PluginProcess::BoundDisk() {
  CallContext context;
  context.cancel = stopped_.token();
  const auto watch = MakeDiskWatch(loop_);
  DiskLimits limits{.most_bytes = spec_.sandbox_plan.disk_bytes};
  while (true) {
    const SteadyTime begin = Now();
    absl::Status status = co_await loop_.Blocking([this, limits, &watch] {
      return CheckDisk({spec_.data_directory, socket_directory_}, limits,
                       watch.ok() ? (*watch)->descriptor() : -1);
    });
    if (stopped_.token().cancelled()) co_return;
    if (!status.ok()) {
      disk_ = std::move(status);
      log::Warn("plugin is ended for what it writes",
                {{"plugin", spec_.name}, {"reason", Message(disk_)}});
      co_return Kill();
    }
    const auto taken = (Now() - begin) * kDiskRest;
    if (watch.ok() && !co_await (*watch)->Written(context.cancel)) co_return;
    const auto pause = watch.ok() ? kDiskPause : kDiskPauseUnwatched;
    const SteadyTime next = Now() + std::max<SteadyTime::duration>(pause, taken);
    if (!(co_await loop_.SleepUntil(next, context)).ok()) co_return;
    limits.min_free_bytes = options_.sandbox.min_free.value;  // from now on it has written
  }
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
  if (transport_ == nullptr) co_return HasEnded();
  ++calls_;
  auto result = co_await transport_->Call(method, std::move(request), std::move(context));
  CallEnded();
  co_return result;
}

void PluginProcess::CallEnded() {
  if (--calls_ == 0 && drained_ != nullptr) drained_->Set(true);
}

class PluginProcess::CountedStream : public PluginStream {
 public:
  CountedStream(std::shared_ptr<PluginProcess> process, std::unique_ptr<PluginStream> stream)
      : process_(std::move(process)), stream_(std::move(stream)) {
    ++process_->calls_;
  }
  ~CountedStream() override {
    stream_.reset();
    process_->CallEnded();
  }
  io::Task<absl::Status> Write(std::string message) override {
    return stream_->Write(std::move(message));
  }
  void CloseWrites() override { stream_->CloseWrites(); }
  io::Task<absl::StatusOr<std::optional<std::string>>> Read() override { return stream_->Read(); }

 private:
  const std::shared_ptr<PluginProcess> process_;  // shared: whoever holds the stream lets go late
  std::unique_ptr<PluginStream> stream_;
};

absl::StatusOr<std::unique_ptr<PluginStream>> PluginProcess::OpenInBackground(
    std::string_view method, CallContext context) {
  if (transport_ == nullptr) return HasEnded();
  return transport_->Open(method, std::move(context));
}

absl::StatusOr<std::unique_ptr<PluginStream>> PluginProcess::Open(std::string_view method,
                                                                  CallContext context) {
  TALON_ASSIGN_OR_RETURN(std::unique_ptr<PluginStream> stream,
                         OpenInBackground(method, std::move(context)));
  return std::make_unique<CountedStream>(shared_from_this(), std::move(stream));
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
    // It may end before it answers: any other answer is one.
    const auto answer = co_await transport_->Call(kShutdownMethod, "", context);
    if (absl::IsUnimplemented(answer.status()) && alive()) {
      (void)co_await transport_->Call(kGoPluginShutdown, "", context);
    }
  }
  if (dialect_ == Dialect::kOpenTalon) process_->Signal(SIGINT);
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

absl::Status PluginProcess::WhyEnded(const absl::Status& error) const {
  if (cut_.empty() || ReasonOf(error) != ErrorReason::kPluginCrashed) return error;
  return MakeError(error.code(), ErrorReason::kPluginCrashed, "the call was cut: " + cut_);
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
    co_await loop_.Blocking([folder = socket_directory_, cgroup = cgroup_] {
      RemoveSocketDirectory(folder);
      RemoveCgroup(cgroup);
      return true;
    });
  }
}

std::string PluginProcess::ExitText() const {
  // talon-launch did, and not the program.
  if (report_ && !report_->fatal_layer.empty()) return "never started";
  if (!exit_) return pid_ == 0 ? "never started" : "still running";
  if (killed_) return "killed by the daemon";
  if (exit_->signal == 0) return fmt::format("exit code {}", exit_->code);
  const char* name = ::strsignal(exit_->signal);
  return fmt::format("signal {} ({})", exit_->signal, name == nullptr ? "unknown" : name);
}

io::Task<absl::Status> PluginProcess::Explain(absl::Status cause) {
  if (!disk_.ok()) cause = disk_;
  const std::string program =
      co_await loop_.Blocking([path = spec_.program] { return DescribeProgram(path); });
  const std::string tail = log_.Redact(stderr_.Tail());
  co_return MakeError(cause.code(), ReasonOf(cause),
                      fmt::format("{}\n  program: {}\n  ended: {}\n  stderr: {}", Message(cause),
                                  program, ExitText(), tail.empty() ? "(nothing)" : tail));
}

}  // namespace talon::plugin
