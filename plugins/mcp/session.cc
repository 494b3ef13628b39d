// SPDX-License-Identifier: Apache-2.0
#include "mcp/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "mcp/elicitation.h"
#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxInbox = 1'000;  // progress and questions of one request not yet looked at
constexpr std::size_t kMaxLogText = 500;

// "abc123" or 7 as the other side wrote it, as our own number.
std::optional<std::int64_t> OwnId(const Json& id) {
  if (id.is_number_integer()) return id.get<std::int64_t>();
  return std::nullopt;
}

absl::Status ErrorStatus(const RpcError& error) {
  const std::string text = fmt::format("{} (code {})", error.message, error.code);
  switch (error.code) {
    case kMethodNotFound:
      return absl::UnimplementedError(text);
    case kInvalidParams:
    case kInvalidRequest:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnknownError(text);
  }
}

}  // namespace

struct Session::Pending {
  std::int64_t id = 0;
  std::string method;
  std::string person;
  bool has_caller = false;
  std::function<void(Reply)> on_end;  // of a subscription, which nobody waits for
  Bell bell;
  // Guarded by the session's mutex:
  std::deque<Message> inbox;  // progress and the server's questions
  std::optional<Reply> reply;
};

Session::Session(std::unique_ptr<Wire> wire, Hooks hooks)
    : hooks_(std::move(hooks)), wire_(std::move(wire)) {}

Session::~Session() {
  Stop();
}

void Session::Stop() {
  wire_->Stop();
  FailAll(absl::CancelledError("the connection was ended"));
}

Reply Session::Request(const std::string& method, const Json& params,
                       const RequestOptions& options) {
  auto pending = std::make_shared<Pending>();
  pending->method = method;
  pending->has_caller = options.caller != nullptr;
  if (pending->has_caller) pending->person = options.caller->person();
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return {.status = *closed_, .failure = {.status = *closed_}};
    pending->id = ++last_id_;
    pending_.emplace(pending->id, pending);
  }
  Json full = params;
  if (options.progress) full["_meta"]["progressToken"] = pending->id;
  absl::Status sent = wire_->Send({.text = RequestText(pending->id, method, full),
                                   .request_id = pending->id,
                                   .headers = options.headers});
  if (!sent.ok()) Finish(pending->id, {.status = sent, .failure = {.status = sent}});
  return Await(*pending, options);
}

Reply Session::Await(Pending& pending, const RequestOptions& options) {
  Caller nobody;
  Caller& caller = options.caller != nullptr ? *options.caller : nobody;
  auto until = [&] { return std::min(caller.deadline(), Clock::now() + options.timeout); };
  Clock::time_point deadline = until();
  while (true) {
    std::optional<Message> item;
    {
      const std::lock_guard lock(mutex_);
      if (!pending.inbox.empty()) {
        item = std::move(pending.inbox.front());
        pending.inbox.pop_front();
      } else if (pending.reply) {
        return *std::move(pending.reply);
      }
    }
    if (item && item->kind == Message::Kind::kRequest) {
      Respond(item->id, AnswerInput(item->method, item->params, &caller));
      deadline = until();
      continue;
    }
    if (item) {
      const Json& done = MemberOf(item->params, "progress");
      const Json& total = MemberOf(item->params, "total");
      caller.Progress(StringOf(item->params, "message"), done.is_number() ? done.get<double>() : 0,
                      total.is_number() ? total.get<double>() : 0);
      deadline = until();
      continue;
    }
    const Bell::Woken woken = pending.bell.Wait(caller.cancel_fd(), deadline);
    if (woken == Bell::Woken::kRung) continue;
    const bool cancelled = woken == Bell::Woken::kCancelled || caller.cancelled();
    absl::Status why =
        cancelled ? absl::CancelledError(fmt::format("'{}' was cancelled", pending.method))
                  : absl::DeadlineExceededError(fmt::format(
                        "'{}': no answer within {} ms", pending.method, options.timeout.count()));
    Finish(pending.id, {.status = why, .failure = {.status = why}});
    const bool told = wire_->Abandon(pending.id);
    if (options.cancellable && !told) GiveUp(pending.id, cancelled ? "cancelled" : "timed out");
  }
}

void Session::GiveUp(std::int64_t id, const std::string& reason) {
  // Nothing to do when even this cannot be said: the answer will find nobody.
  (void)Notify("notifications/cancelled", {{"requestId", id}, {"reason", reason}});
}

absl::Status Session::Subscribe(const std::string& method, const Json& params,
                                std::vector<std::pair<std::string, std::string>> headers,
                                std::function<void(Reply)> on_end) {
  auto pending = std::make_shared<Pending>();
  pending->method = method;
  pending->on_end = std::move(on_end);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return *closed_;
    pending->id = ++last_id_;
    pending_.emplace(pending->id, pending);
  }
  absl::Status sent = wire_->Send({.text = RequestText(pending->id, method, params),
                                   .request_id = pending->id,
                                   .headers = std::move(headers)});
  if (!sent.ok()) {
    const std::lock_guard lock(mutex_);
    pending_.erase(pending->id);
  }
  return sent;
}

absl::Status Session::Notify(const std::string& method, const Json& params) {
  return wire_->Send({.text = NotificationText(method, params), .headers = {}});
}

void Session::OnMessage(Message message, std::optional<std::int64_t> stream) {
  switch (message.kind) {
    case Message::Kind::kRequest:
      return OnRequest(std::move(message), stream);
    case Message::Kind::kNotification:
      return OnNotification(message);
    case Message::Kind::kResult:
    case Message::Kind::kError:
      return OnAnswer(std::move(message));
  }
}

void Session::OnRequest(Message message, std::optional<std::int64_t> stream) {
  if (message.method == "ping") return Respond(message.id, {.result = Json::object()});
  if (message.method != "elicitation/create") {
    return Respond(message.id, AnswerInput(message.method, message.params, nullptr));
  }
  const std::shared_ptr<Pending> asked = Asked(stream);
  if (asked == nullptr) {
    sdk::Log(sdk::LogLevel::kInfo,
             fmt::format("server '{}': a question that belongs to no call was not asked",
                         hooks_.server));
    return Respond(message.id, AnswerInput(message.method, message.params, nullptr));
  }
  {
    const std::lock_guard lock(mutex_);
    if (asked->inbox.size() >= kMaxInbox) return;
    asked->inbox.push_back(std::move(message));
  }
  asked->bell.Ring();
}

std::shared_ptr<Session::Pending> Session::Asked(std::optional<std::int64_t> stream) {
  const std::lock_guard lock(mutex_);
  if (stream) {
    const auto found = pending_.find(*stream);
    if (found != pending_.end() && found->second->has_caller) return found->second;
  }
  // The server does not say whose question it is. Safe only when one person can be meant.
  std::shared_ptr<Pending> only;
  for (const auto& [id, pending] : pending_) {
    if (!pending->has_caller) continue;
    if (only != nullptr && only->person != pending->person) return nullptr;
    only = pending;
  }
  return only;
}

Session::InputAnswer Session::AnswerInput(const std::string& method, const Json& params,
                                          Caller* caller) const {
  if (method == "elicitation/create") {
    if (caller == nullptr) return {.result = {{"action", "cancel"}}};
    return {.result = Elicit(hooks_.server, params, *caller)};
  }
  if (method == "roots/list" && !hooks_.roots.is_null()) {
    return {.result = {{"roots", hooks_.roots}}};
  }
  std::string why = fmt::format("'{}' is not offered by this client", method);
  if (method == "sampling/createMessage") {
    why = "sampling is off: this client lets no server use its language model";
    sdk::Log(sdk::LogLevel::kInfo,
             fmt::format("server '{}': refused to let it use the model", hooks_.server));
  }
  return {.error = RpcError{.code = kMethodNotFound, .message = std::move(why)}};
}

void Session::Respond(const Json& id, const InputAnswer& answer) {
  std::string text = answer.error ? ErrorText(id, answer.error->code, answer.error->message)
                                  : ResultText(id, answer.result);
  if (const absl::Status sent = wire_->Send({.text = std::move(text)}); !sent.ok()) {
    sdk::Log(sdk::LogLevel::kWarn,
             fmt::format("server '{}': answer not sent: {}", hooks_.server, Why(sent)));
  }
}

void Session::OnNotification(const Message& message) {
  if (message.method == "notifications/progress") {
    const std::shared_ptr<Pending> pending = Find(MemberOf(message.params, "progressToken"));
    if (pending == nullptr || pending->on_end) return;
    {
      const std::lock_guard lock(mutex_);
      if (pending->inbox.size() >= kMaxInbox) return;
      pending->inbox.push_back(message);
    }
    return pending->bell.Ring();
  }
  if (message.method == "notifications/cancelled") {
    // Only a subscription may be ended this way; our other requests end with an answer.
    const std::shared_ptr<Pending> pending = Find(MemberOf(message.params, "requestId"));
    if (pending != nullptr && pending->on_end) {
      Finish(pending->id, {.status = absl::CancelledError("ended by the server")});
    }
    return;
  }
  if (message.method == "notifications/message") {
    const Json& data = MemberOf(message.params, "data");
    const std::string text = data.is_string() ? data.get<std::string>() : Dump(data);
    const std::string level = StringOf(message.params, "level");
    const bool warn = level != "debug" && level != "info" && level != "notice";
    return sdk::Log(
        warn ? sdk::LogLevel::kWarn : sdk::LogLevel::kDebug,
        fmt::format("server '{}' says: {}", hooks_.server, sdk::TruncateUtf8(text, kMaxLogText)));
  }
  if (hooks_.on_notification) hooks_.on_notification(message.method, message.params);
}

std::shared_ptr<Session::Pending> Session::Find(const Json& id) {
  const std::optional<std::int64_t> own = OwnId(id);
  if (!own) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(*own);
  return found == pending_.end() ? nullptr : found->second;
}

void Session::OnAnswer(Message message) {
  const std::optional<std::int64_t> id = OwnId(message.id);
  if (!id) {
    sdk::Log(sdk::LogLevel::kDebug,
             fmt::format("server '{}': an answer to nothing: {}", hooks_.server,
                         sdk::TruncateUtf8(message.error.message, kMaxLogText)));
    return;
  }
  Reply reply;
  if (message.kind == Message::Kind::kError) {
    reply.status = ErrorStatus(message.error);
    reply.error = std::move(message.error);
  } else {
    reply.result = std::move(message.result);
  }
  Finish(*id, std::move(reply));
}

void Session::OnFailure(std::int64_t request_id, WireFailure failure) {
  Reply reply{.status = failure.status};
  reply.failure = std::move(failure);
  Finish(request_id, std::move(reply));
}

void Session::OnClosed(absl::Status why) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) closed_ = why;
  }
  // First those who could make more requests, then those who wait for answers.
  if (hooks_.on_closed) hooks_.on_closed(why);
  FailAll(why);
}

// The first to come wins: a late answer finds nothing.
void Session::Finish(std::int64_t id, Reply reply) {
  std::shared_ptr<Pending> pending;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    pending = found->second;
    pending_.erase(found);
    if (!pending->on_end) {
      pending->reply = std::move(reply);
      pending->bell.Ring();
      return;
    }
  }
  pending->on_end(std::move(reply));
}

void Session::FailAll(const absl::Status& why) {
  std::vector<std::int64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) closed_ = why;
    for (const auto& [id, pending] : pending_) ids.push_back(id);
  }
  for (const std::int64_t id : ids) Finish(id, {.status = why, .failure = {.status = why}});
}

}  // namespace talon::plugins::mcp
