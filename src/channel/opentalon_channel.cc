// SPDX-License-Identifier: Apache-2.0
#include "channel/opentalon_channel.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "io/loop.h"

namespace talon::channel {
namespace {

constexpr int kSendAttempts = 3;  // over restarts of the channel
constexpr std::size_t kLeastPiece = 16;
constexpr std::string_view kRefused = "I cannot take this message now; please send it again later.";

}  // namespace

std::vector<std::string> CutForChannel(std::string_view text, std::size_t max_bytes) {
  std::vector<std::string> pieces;
  const std::size_t most = max_bytes == 0 ? text.size() : std::max(max_bytes, kLeastPiece);
  while (text.size() > most) {
    std::string_view piece = text.substr(0, TruncateUtf8(text, most).size());
    if (piece.empty()) piece = text.substr(0, most);  // no UTF-8
    for (const char separator : {'\n', ' '}) {
      const std::size_t at = piece.rfind(separator);
      if (at == std::string_view::npos || at < most / 2) continue;
      piece = piece.substr(0, at + 1);
      break;
    }
    pieces.emplace_back(piece);
    text.remove_prefix(piece.size());
  }
  if (!text.empty() || pieces.empty()) pieces.emplace_back(text);
  return pieces;
}

OpenTalonChannel::OpenTalonChannel(std::string name, ChannelEntry entry, Dependencies dependencies)
    : name_(std::move(name)),
      origin_("channel:" + name_),
      entry_(std::move(entry)),
      dependencies_(std::move(dependencies)),
      loop_(dependencies_.loop),
      policy_(dependencies_.limits, dependencies_.random),
      log_(loop_, dependencies_.clock, dependencies_.limits, dependencies_.redactor, name_, ""),
      running_(loop_),
      turns_(loop_) {}

void OpenTalonChannel::Start() {
  for (const auto& [name, value] : entry_.env) dependencies_.redactor.Register(value);
  running_.Spawn(Run());
}

io::Task<void> OpenTalonChannel::Stop() {
  stop_.Cancel(Unavailable("the channel is stopped"));
  co_await running_.Join();
  co_await turns_.Join();
  co_await log_.Close();
}

plugin::LaunchSpec OpenTalonChannel::MakeLaunchSpec(
    std::shared_ptr<const plugin::Program> file) const {
  plugin::LaunchSpec spec;
  spec.name = name_;
  spec.program = file->path();
  spec.file = std::move(file);
  spec.args = entry_.args;
  spec.env = entry_.env;
  spec.protocol = plugin::Protocol::kOpenTalon;
  spec.socket = plugin::LaunchSpec::Socket{"OPENTALON_CHANNEL_SOCK_DIR", "channel.sock"};
  spec.run_directory = dependencies_.run_directory;
  spec.data_directory = dependencies_.data_directory;
  plugin::Needs needs;
  needs.network = plugin::Needs::Network::kOutbound;
  spec.sandbox_plan = PlanSandbox(entry_.sandbox, dependencies_.limits.sandbox, needs);
  return spec;
}

CallContext OpenTalonChannel::Within(std::chrono::milliseconds time) const {
  CallContext context;
  context.deadline = dependencies_.clock.SteadyNow() + time;
  context.cancel = stop_.token();
  return context;
}

// One process after the other, with growing waits when they end too soon.
io::Task<void> OpenTalonChannel::Run() {
  CallContext until_stop;
  until_stop.cancel = stop_.token();
  while (!stop_.token().cancelled()) {
    (void)co_await loop_.SleepUntil(policy_.next_start(), until_stop);
    if (stop_.token().cancelled()) co_return;
    std::error_code ignored;
    auto file = co_await dependencies_.admit(
        std::filesystem::absolute(entry_.plugin, ignored).lexically_normal());
    if (!file.ok()) {
      NoteEnd(file.status());
      continue;
    }
    const auto process = std::make_shared<plugin::PluginProcess>(
        loop_, MakeLaunchSpec(*std::move(file)), dependencies_.limits, log_, dependencies_.sandbox);
    absl::Status why = co_await Serve(process);
    serving_ = nullptr;
    const bool stopping = stop_.token().cancelled();
    co_await process->Stop(stopping ? plugin::StopKind::kGraceful : plugin::StopKind::kKill);
    if (stopping) co_return;
    NoteEnd(co_await process->Explain(std::move(why)));
  }
}

void OpenTalonChannel::NoteEnd(const absl::Status& why) {
  log::Warn("channel ended and is started again", {{"channel", name_}, {"reason", Message(why)}});
  policy_.NoteCrash(dependencies_.clock.SteadyNow());
}

// From start to end; why it ended, never OK.
io::Task<absl::Status> OpenTalonChannel::Serve(Process process) {
  TALON_CO_RETURN_IF_ERROR(co_await process->Start(Within(entry_.start_timeout)));
  TALON_CO_RETURN_IF_ERROR(co_await Introduce(*process));
  CallContext context;
  context.cancel = stop_.token();
  TALON_CO_ASSIGN_OR_RETURN(const auto stream, process->OpenInBackground(kStart, context));
  TALON_CO_RETURN_IF_ERROR(co_await stream->Write(""));
  stream->CloseWrites();
  serving_ = process;
  policy_.NoteStart(dependencies_.clock.SteadyNow());
  for (const auto& waiter : std::exchange(waiting_, {})) waiter->Set(true);
  log::Info("channel is open", {{"channel", name_}, {"pid", process->pid()}});
  if (absl::Status taken = co_await TakeUpUndelivered(); !taken.ok()) {
    log::Warn("answers that did not reach their channel cannot be read",
              {{"channel", name_}, {"reason", Message(taken)}});
  }
  while (true) {
    TALON_CO_ASSIGN_OR_RETURN(const auto bytes, co_await stream->Read());
    if (!bytes) co_return Unavailable("the channel ended its stream");
    TALON_CO_ASSIGN_OR_RETURN(Inbound message, DecodeInbound(*bytes));
    if (message.text.empty()) continue;
    while (answering_ >= entry_.max_turns) {
      turn_ended_.emplace();
      co_await turn_ended_->Wait();
    }
    ++answering_;
    turns_.Spawn(Answer(std::move(message)));
  }
}

io::Task<absl::Status> OpenTalonChannel::Introduce(plugin::PluginProcess& process) {
  const CallContext context = Within(entry_.start_timeout);
  const auto told = co_await process.Call(kCapabilities, "", context);
  if (!told.ok()) co_return Annotate(told.status(), "capabilities");
  TALON_CO_ASSIGN_OR_RETURN(capabilities_, DecodeCapabilities(*told));
  TALON_CO_ASSIGN_OR_RETURN(std::string request, EncodeConfigure(entry_.config.text, name_));
  const auto configured = co_await process.Call(kConfigure, std::move(request), context);
  if (!configured.ok()) co_return Annotate(configured.status(), "configure");
  co_return absl::OkStatus();
}

io::Task<void> OpenTalonChannel::Answer(Inbound message) {
  const auto turn = co_await Submit(message);
  absl::Status sent;
  if (turn.ok()) {
    in_hand_.insert(*turn);
    sent = co_await Deliver(message, *turn);
    in_hand_.erase(*turn);
  } else {
    log::Warn("message of a channel is refused",
              {{"channel", name_}, {"reason", Message(turn.status())}});
    sent = co_await Send(message, kRefused, "");
  }
  if (!sent.ok()) {
    log::Warn(
        "answer did not reach its channel",
        {{"channel", name_}, {"turn_id", turn.ok() ? turn->str() : ""}, {"reason", Message(sent)}});
  }
  --answering_;
  if (turn_ended_) turn_ended_->Set(true);
}

io::Task<absl::StatusOr<TurnId>> OpenTalonChannel::Submit(const Inbound& message) {
  journal::EventEnvelope event;
  event.source = origin_;
  event.principal.origin = origin_;
  // Who the channel says it is: somebody of that channel, nobody of this machine.
  event.principal.user = fmt::format("{}:{}", name_, message.sender);
  event.label.integrity = Integrity::kUntrusted;
  event.session_key = fmt::format("{}:{}", name_, message.conversation);
  if (!message.thread.empty()) event.session_key += ":" + message.thread;
  agent::TurnInput input;
  input.messages = {model::TextMessage(model::Role::kUser, message.text, Integrity::kUntrusted)};
  input.reply_to = EncodeReplyTo(message);
  const auto accepted =
      co_await dependencies_.agent.Submit(std::move(event), std::move(input), nullptr);
  if (!accepted.ok()) co_return accepted.status();
  co_return accepted->turn;
}

io::Task<absl::Status> OpenTalonChannel::TakeUpUndelivered() {
  TALON_CO_ASSIGN_OR_RETURN(auto found, co_await dependencies_.agent.LoadUndelivered(origin_));
  for (agent::Undelivered& each : found) {
    if (!in_hand_.insert(each.turn).second) continue;
    turns_.Spawn(Redeliver(std::move(each.turn), std::move(each.reply_to)));
  }
  co_return absl::OkStatus();
}

io::Task<void> OpenTalonChannel::Redeliver(TurnId turn, std::string reply_to) {
  const absl::Status sent = co_await TryAgain(turn, reply_to);
  if (!sent.ok()) {
    log::Warn(
        "answer did not reach its channel",
        {{"channel", name_}, {"turn_id", turn.str()}, {"again", true}, {"reason", Message(sent)}});
  }
  in_hand_.erase(turn);
}

io::Task<absl::Status> OpenTalonChannel::TryAgain(const TurnId& turn, const std::string& reply_to) {
  TALON_CO_ASSIGN_OR_RETURN(const Inbound to, DecodeReplyTo(reply_to));
  CallContext context;
  context.cancel = stop_.token();
  const auto outcome = co_await dependencies_.agent.Await(turn, context);
  if (!outcome.ok() || outcome->state == journal::TurnState::kRunning) co_return absl::OkStatus();
  // Before the try: one that ends the daemon counts.
  TALON_CO_ASSIGN_OR_RETURN(
      const bool left, co_await dependencies_.agent.CountDelivery(turn, entry_.max_deliveries));
  if (!left) {
    co_return ResourceExhausted(
        fmt::format("given up after {} further tries; it is a dead letter in the journal",
                    entry_.max_deliveries));
  }
  co_return co_await Deliver(to, turn);
}

io::Task<absl::Status> OpenTalonChannel::Deliver(const Inbound& to, const TurnId& turn) {
  const std::string text = co_await TextOf(turn);
  if (text.empty()) co_return absl::OkStatus();
  TALON_CO_RETURN_IF_ERROR(co_await Send(to, text, turn.str()));
  dependencies_.agent.Delivered(turn);
  co_return absl::OkStatus();
}

// The answer, or what to tell the person instead; empty when that is not known yet.
io::Task<std::string> OpenTalonChannel::TextOf(const TurnId& turn) {
  CallContext context;
  context.cancel = stop_.token();
  const auto outcome = co_await dependencies_.agent.Await(turn, context);
  if (!outcome.ok() || outcome->state == journal::TurnState::kRunning) co_return "";
  if (outcome->error.ok()) co_return outcome->answer.text;
  log::Warn("message of a channel was not answered",
            {{"channel", name_}, {"turn_id", turn.str()}, {"reason", Message(outcome->error)}});
  // A refusal is the sender's to know; what went wrong in here is not.
  co_return outcome->error.code() == absl::StatusCode::kPermissionDenied
      ? fmt::format("I did not take this message: {}.", Message(outcome->error))
      : fmt::format("I could not answer this message (turn {}).", turn.str());
}

io::Task<absl::Status> OpenTalonChannel::Send(const Inbound& to, std::string_view text,
                                              const std::string& key) {
  int number = 0;
  for (const std::string& piece : CutForChannel(text, capabilities_.max_message_bytes)) {
    const std::string piece_key = key.empty() ? "" : fmt::format("{}/{}", key, ++number);
    absl::Status sent;
    for (int attempt = 0; attempt < kSendAttempts; ++attempt) {
      const CallContext context = Within(entry_.send_timeout);
      TALON_CO_ASSIGN_OR_RETURN(const Process process, co_await Running(context));
      sent = (co_await process->Call(kSend, EncodeSend(to, piece, piece_key), context)).status();
      if (ReasonOf(sent) != ErrorReason::kPluginCrashed) break;
      if (serving_ == process) serving_ = nullptr;  // its end is not known yet
    }
    TALON_CO_RETURN_IF_ERROR(sent);
  }
  co_return absl::OkStatus();
}

// The process that takes messages, once there is one.
io::Task<absl::StatusOr<OpenTalonChannel::Process>> OpenTalonChannel::Running(CallContext context) {
  while (serving_ == nullptr) {
    const auto waiter = std::make_shared<io::OneShot<bool>>();
    waiting_.push_back(waiter);
    const auto timer = loop_.CallAt(context.deadline, [waiter] { waiter->Set(false); });
    const auto registration = context.cancel.OnCancel([waiter] { waiter->Set(false); });
    const bool there = co_await waiter->Wait();
    loop_.CancelTimer(timer);
    if (!there) co_return Unavailable("the channel did not run again in time");
  }
  co_return serving_;
}

}  // namespace talon::channel
