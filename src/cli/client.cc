// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "cli/connection.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/sse.h"

namespace talon::cli {
namespace {

absl::Status Lost(std::string_view text) {
  return MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport, text);
}

// What the transport says of a connection that failed means nothing to a person.
absl::Status InPlainWords(const absl::Status& error) {
  if (!absl::IsUnavailable(error) || !IsLost(error)) return error;
  return Lost("the daemon went away before it answered");
}

// The Status an error answer stands for.
absl::Status FromAnswer(int http_status, const std::string& body) {
  std::string text = fmt::format("the daemon answered {}", http_status);
  std::string type;
  if (auto json = ParseJson(body, "answer"); json.ok()) {
    if (const Json* error = JsonFind(*json, "error")) {
      text = JsonString(*error, "message", text);
      type = JsonString(*error, "type");
    }
  }
  switch (http_status) {
    case 400:
      return InvalidArgument(text);
    case 401:
      return absl::UnauthenticatedError(absl::string_view(text.data(), text.size()));
    case 403:
      return PermissionDenied(text);
    case 404:
      return NotFound(text);
    case 429:
      return ResourceExhausted(text);
    case 503:
      // It is stopping: as good as gone.
      return type == "service_unavailable" ? Lost(text) : Unavailable(text);
    case 502:
    case 504:
      return Unavailable(text);
    default:
      return Internal(text);
  }
}

}  // namespace

bool IsLost(const absl::Status& error) {
  return ReasonOf(error) == ErrorReason::kTransport;
}

absl::Status CheckUtf8(std::string_view name, std::string_view text) {
  const std::size_t at = FindInvalidUtf8(text);
  if (at == std::string_view::npos) return absl::OkStatus();
  return InvalidArgument(fmt::format("{}: invalid UTF-8 at byte {}", name, at));
}

struct Client::Parts {
  io::Loop loop;
  // A proxy would be shown the token.
  std::unique_ptr<io::HttpClient> http = io::MakeCurlClient(loop, {.use_proxy = false});
  Connection connection{loop, *http};
};

Client::Client() : parts_(std::make_unique<Parts>()) {}
Client::~Client() = default;

io::Loop& Client::loop() {
  return parts_->loop;
}
bool Client::embedded() const {
  return parts_->connection.embedded();
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect() {
  std::unique_ptr<Client> client(new Client);
  TALON_RETURN_IF_ERROR(client->loop().RunUntilDone(client->Reconnect({})));
  return client;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Join() {
  std::unique_ptr<Client> client(new Client);
  client->parts_->connection.OnlyJoin();
  TALON_RETURN_IF_ERROR(client->loop().RunUntilDone(client->Reconnect({})));
  return client;
}

io::Task<absl::Status> Client::Reconnect(CallContext context) {
  return parts_->connection.Open(std::move(context));
}

io::HttpRequest Client::RequestOf(std::string method, const std::string& path) const {
  io::HttpRequest request;
  request.method = std::move(method);
  request.url = parts_->connection.base() + path;
  request.headers.Set("Authorization", "Bearer " + parts_->connection.token().Reveal());
  return request;
}

io::Task<absl::StatusOr<std::string>> Client::CallAsync(std::string method, std::string path,
                                                        std::string body, CallContext context) {
  auto answer = co_await CallOnce(method, path, body, context);
  // What only reads may be asked twice; of anything else nobody knows whether it was done.
  if (!IsLost(answer.status()) || method != "GET") co_return answer;
  TALON_CO_RETURN_IF_ERROR(co_await Reconnect(context));
  co_return co_await CallOnce(std::move(method), std::move(path), std::move(body),
                              std::move(context));
}

io::Task<absl::StatusOr<std::string>> Client::CallOnce(std::string method, std::string path,
                                                       std::string body, CallContext context) {
  io::HttpRequest request = RequestOf(std::move(method), path);
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  request.body = std::move(body);
  auto response = co_await parts_->http->Fetch(std::move(request), std::move(context));
  TALON_CO_RETURN_IF_ERROR(InPlainWords(response.status()));
  if (response->status >= 300) co_return FromAnswer(response->status, response->body);
  co_return std::move(response->body);
}

absl::StatusOr<std::string> Client::Call(std::string method, std::string path, std::string body) {
  return loop().RunUntilDone(
      CallAsync(std::move(method), std::move(path), std::move(body), CallContext()));
}

io::Task<absl::Status> Client::Follow(std::string path, EventHandler on_event,
                                      CallContext context) {
  co_return co_await ReadEvents(
      RequestOf("GET", path),
      [&](std::string_view event, const Json& data) {
        on_event(event, data);
        return true;
      },
      std::move(context));
}

io::Task<absl::Status> Client::Post(std::string path, std::string body, EventHandler on_event,
                                    CallContext context) {
  io::HttpRequest http = RequestOf("POST", path);
  http.headers.Set("Content-Type", "application/json");
  http.body = std::move(body);
  co_return co_await ReadEvents(
      std::move(http),
      [&](std::string_view event, const Json& data) {
        on_event(event, data);
        return true;
      },
      std::move(context));
}

// Ends with the stream, or when `on_event` wants no more.
io::Task<absl::Status> Client::ReadEvents(
    io::HttpRequest http, std::function<bool(std::string_view, const Json&)> on_event,
    CallContext context) {
  http.max_body_bytes = 0;
  auto opened = co_await parts_->http->Open(std::move(http), std::move(context));
  TALON_CO_RETURN_IF_ERROR(InPlainWords(opened.status()));
  io::HttpStream& stream = **opened;
  io::SseParser parser;
  std::string error_body;
  while (true) {
    auto piece = co_await stream.Read();
    TALON_CO_RETURN_IF_ERROR(InPlainWords(piece.status()));
    if (piece->empty()) break;
    if (stream.status() >= 300) {
      error_body += *piece;
      continue;
    }
    std::vector<io::SseEvent> events;
    TALON_CO_RETURN_IF_ERROR(parser.Feed(*piece, events));
    for (const io::SseEvent& event : events) {
      TALON_CO_ASSIGN_OR_RETURN(Json data, ParseJson(event.data, "event"));
      if (!on_event(event.event, data)) co_return absl::OkStatus();
    }
  }
  if (stream.status() >= 300) co_return FromAnswer(stream.status(), error_body);
  co_return absl::OkStatus();
}

}  // namespace talon::cli
