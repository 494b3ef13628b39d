// SPDX-License-Identifier: Apache-2.0
#include "model/exchange.h"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "io/loop.h"
#include "model/json_text.h"
#include "model/patience.h"
#include "model/retry.h"

namespace talon::model {
namespace {

constexpr std::size_t kMaxErrorBody = 64 << 10;
constexpr std::size_t kMaxHead = 16 << 10;
// A delta of a few bytes travels in an event of a few hundred.
constexpr std::uint64_t kStreamBytesPerAnswerByte = 64;

Fault Broken(std::string message) {
  Fault fault;
  fault.reason = ErrorReason::kTransport;
  fault.message = std::move(message);
  return fault;
}

}  // namespace

Exchange::Exchange(const ExchangeSurroundings& around, ModelName name,
                   std::unique_ptr<AnswerReader> reader, DeltaSink* sink, CallContext context)
    : around_(around),
      name_(std::move(name)),
      context_(std::move(context)),
      reader_(std::move(reader)),
      answer_(name_.provider, sink,
              {.max_bytes = around.options.max_answer.value,
               .max_calls = around.options.max_tool_calls}),
      parser_(around.options.max_answer.value) {}

io::Task<absl::StatusOr<ChatResponse>> Exchange::Run(io::HttpRequest request, Delivery delivery) {
  absl::Status status = delivery == Delivery::kStream ? co_await ReadStream(std::move(request))
                                                      : co_await ReadWhole(std::move(request));
  TALON_CO_RETURN_IF_ERROR(status);
  co_return answer_.Take();
}

io::Task<absl::Status> Exchange::ReadWhole(io::HttpRequest request) {
  // JSON may spend six bytes on one of ours; the rest is framing.
  request.max_body_bytes = around_.options.max_answer.value * 6 + (1u << 20);
  absl::StatusOr<io::HttpResponse> response =
      co_await around_.http.Fetch(std::move(request), context_);
  if (!response.ok()) co_return Failed(response.status(), nullptr);
  if (response->status / 100 != 2) {
    co_return Refused(response->status, response->headers, response->body);
  }
  co_return OnBody(response->body);
}

io::Task<absl::Status> Exchange::ReadStream(io::HttpRequest request) {
  CancelSource source(context_.cancel);
  Patience patience(around_.loop, source);
  patience.Arm(around_.options.first_byte_timeout);
  CallContext context = context_;
  context.cancel = source.token();
  request.max_body_bytes = around_.options.max_answer.value * kStreamBytesPerAnswerByte;
  absl::StatusOr<std::unique_ptr<io::HttpStream>> opened =
      co_await around_.http.Open(std::move(request), context);
  if (!opened.ok()) co_return Failed(opened.status(), &patience);
  io::HttpStream& stream = **opened;
  bool json = ToLowerAscii(stream.headers().Get("content-type")).starts_with("application/json");
  if (json || stream.status() / 100 != 2) co_return co_await ReadRest(stream, patience);
  co_return co_await ReadEvents(stream, patience);
}

void Exchange::Heard(Patience& patience) {
  heard_ = true;
  patience.Arm(around_.options.idle_timeout);
}

io::Task<absl::Status> Exchange::ReadRest(io::HttpStream& stream, Patience& patience) {
  bool refused = stream.status() / 100 != 2;
  std::uint64_t limit = refused ? kMaxErrorBody : around_.options.max_answer.value * 6;
  std::string body;
  while (body.size() < limit) {
    absl::StatusOr<std::string> piece = co_await stream.Read();
    if (!piece.ok() && refused && !context_.cancel.cancelled()) break;  // the status says enough
    if (!piece.ok()) co_return Failed(piece.status(), &patience);
    if (piece->empty()) break;
    Heard(patience);
    body += *piece;
  }
  co_return refused ? Refused(stream.status(), stream.headers(), body) : OnBody(body);
}

io::Task<absl::Status> Exchange::ReadEvents(io::HttpStream& stream, Patience& patience) {
  for (bool end = false; !end && !done_;) {
    absl::StatusOr<std::string> piece = co_await stream.Read();
    if (!piece.ok()) {
      if (answer_.finished() && !context_.cancel.cancelled()) co_return absl::OkStatus();
      co_return Failed(piece.status(), &patience);
    }
    end = piece->empty();
    // A last event may lack its blank line.
    TALON_CO_RETURN_IF_ERROR(OnPiece(end ? "\n\n" : std::string_view(*piece)));
    if (answer_.finished()) {
      patience.Arm(around_.options.stream_end_grace);
    } else {
      Heard(patience);
    }
  }
  patience.Disarm();
  if (!answer_.finished() && !done_) co_return BrokeOff();
  if (!done_) co_return absl::OkStatus();
  // Reading to the end lets the connection be used again; what comes or fails there is not ours.
  patience.Arm(around_.options.stream_end_grace);
  for (int pieces = 0; pieces < 8; ++pieces) {
    absl::StatusOr<std::string> piece = co_await stream.Read();
    if (!piece.ok() || piece->empty()) break;
  }
  co_return absl::OkStatus();
}

absl::Status Exchange::OnPiece(std::string_view piece) {
  if (!any_event_ && head_.size() < kMaxHead) head_ += piece.substr(0, kMaxHead - head_.size());
  events_.clear();
  if (absl::Status fed = parser_.Feed(piece, events_); !fed.ok()) {
    Fault fault = Broken(std::string(talon::Message(fed)));
    fault.too_large = true;
    return FaultToStatus(fault);
  }
  for (const io::SseEvent& event : events_) {
    if (done_) break;
    TALON_RETURN_IF_ERROR(OnEvent(event));
  }
  return absl::OkStatus();
}

absl::Status Exchange::OnEvent(const io::SseEvent& event) {
  std::string_view data = TrimSpace(event.data);
  if (data.empty()) return absl::OkStatus();
  any_event_ = true;
  if (data == "[DONE]") {
    done_ = true;
    return absl::OkStatus();
  }
  if (event.event == "error") return FaultToStatus(FaultOfBody(200, data));
  absl::StatusOr<Json> document = ParseProviderJson(data, "event");
  if (document.ok()) return OnDocument(*document);
  if (answer_.finished()) return absl::OkStatus();
  return FaultToStatus(
      Broken(fmt::format("malformed event: {}", talon::Message(document.status()))));
}

absl::Status Exchange::OnBody(std::string_view body) {
  std::string_view start = TrimSpace(body);
  if (start.starts_with("data:") || start.starts_with("event:") || start.starts_with(':')) {
    // Events under another name.
    TALON_RETURN_IF_ERROR(OnPiece(fmt::format("{}\n\n", body)));
    return answer_.finished() || done_ ? absl::OkStatus() : BrokeOff();
  }
  absl::StatusOr<Json> document = ParseProviderJson(body, "answer");
  if (!document.ok()) {
    Fault fault = Broken(std::string(talon::Message(document.status())));
    if (start.starts_with('<')) {
      fault.reason = ErrorReason::kBadRequest;
      fault.message = "an HTML page answered; check base_url";
    }
    return FaultToStatus(fault);
  }
  TALON_RETURN_IF_ERROR(OnDocument(*document));
  // A whole document is a whole answer, even of a server that gives no finish reason.
  return answer_.finished() || !answer_.empty() ? absl::OkStatus() : BrokeOff();
}

absl::Status Exchange::OnDocument(const Json& document) {
  std::optional<Fault> fault;
  try {
    fault = FindFault(document);
    if (!fault) fault = reader_->Read(document, answer_);
  } catch (const std::exception& error) {
    fault = Broken(fmt::format("unreadable answer: {}", error.what()));
  }
  if (!fault && !answer_.overflow().empty()) {
    fault = Broken(answer_.overflow());
    fault->too_large = true;
  }
  return fault ? FaultToStatus(*fault) : absl::OkStatus();
}

absl::Status Exchange::Refused(int http_status, const io::Headers& headers,
                               std::string_view body) const {
  Fault fault = FaultOfBody(http_status, body);
  if (auto wait = ParseRetryAfter(headers, around_.clock.Now())) fault.retry_after = wait;
  if (http_status / 100 == 3) {
    fault.message = fmt::format("redirects to '{}'; check base_url", headers.Get("location"));
  }
  return FaultToStatus(fault);
}

absl::Status Exchange::BrokeOff() {
  if (any_event_ || head_.empty()) {
    return FaultToStatus(Broken("it broke off before its finish reason"));
  }
  std::string head = std::exchange(head_, "");
  // A whole answer may come without a content type.
  if (TrimSpace(head).starts_with('{')) return OnBody(head);
  // llama.cpp has sent errors as a field "error:", which is no event.
  std::string_view text = TrimSpace(head);
  for (std::string_view prefix : {"error:", "data:"}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  return FaultToStatus(FaultOfBody(200, text));
}

absl::Status Exchange::FaultToStatus(const Fault& fault) const {
  return FaultStatus(fault, name_, around_.redactor);
}

absl::Status Exchange::Failed(const absl::Status& error, const Patience* patience) const {
  const std::string who = Describe(name_, around_.redactor);
  if (context_.cancel.cancelled()) return Annotate(context_.cancel.status(), who);
  if (patience != nullptr && patience->ran_out()) {
    return MakeError(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTransport,
                     heard_ ? fmt::format("{}: the answer stopped: nothing came for {} ms "
                                          "(idle_timeout)",
                                          who, around_.options.idle_timeout.count())
                            : fmt::format("{}: no answer began within {} ms (first_byte_timeout)",
                                          who, around_.options.first_byte_timeout.count()));
  }
  if (error.code() == absl::StatusCode::kCancelled) return Annotate(error, who);
  ErrorReason reason = error.code() == absl::StatusCode::kInvalidArgument ? ErrorReason::kBadRequest
                                                                          : ErrorReason::kTransport;
  return MakeError(error.code(), reason,
                   fmt::format("{}: {}", who, around_.redactor.Redact(talon::Message(error))));
}

}  // namespace talon::model
