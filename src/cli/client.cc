// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <cstdlib>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/digest.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/paths.h"
#include "gateway/api.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/one_shot.h"
#include "io/sse.h"

namespace talon::cli {
namespace {

constexpr std::chrono::seconds kHealthTimeout{2};
constexpr std::size_t kNonceBytes = 24;
// How long, and how often, a daemon that another client is starting or ending is waited for.
constexpr std::chrono::seconds kStartPatience{5};
constexpr std::chrono::milliseconds kStartPause{50};
// Others may have joined the daemon in this process: their turns may end before it does.
constexpr std::chrono::seconds kEmbeddedDrain{30};

// The Status an error answer stands for.
absl::Status FromAnswer(int http_status, const std::string& body) {
  std::string text = fmt::format("the daemon answered {}", http_status);
  if (auto json = ParseJson(body, "answer"); json.ok()) {
    if (const Json* error = JsonFind(*json, "error")) text = JsonString(*error, "message", text);
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
    case 502:
    case 503:
    case 504:
      return Unavailable(text);
    default:
      return Internal(text);
  }
}

}  // namespace

absl::Status CheckUtf8(std::string_view name, std::string_view text) {
  const std::size_t at = FindInvalidUtf8(text);
  if (at == std::string_view::npos) return absl::OkStatus();
  return InvalidArgument(fmt::format("{}: invalid UTF-8 at byte {}", name, at));
}

// A daemon in this process.
class Client::Embedded {
 public:
  Embedded(config::Loaded loaded, daemon::Paths paths) {
    std::promise<absl::Status> ready;
    auto started = ready.get_future();
    thread_ = std::thread([this, loaded = std::move(loaded), paths = std::move(paths),
                           &ready]() mutable { Run(std::move(loaded), std::move(paths), ready); });
    status_ = started.get();
  }
  ~Embedded() {
    if (status_.ok()) loop_.Post([this] { stop_.Set(true); });
    thread_.join();
  }
  const absl::Status& status() const { return status_; }
  std::uint16_t port() const { return port_; }
  const Secret& token() const { return token_; }

 private:
  void Run(config::Loaded loaded, daemon::Paths paths, std::promise<absl::Status>& ready) {
    daemon::Daemon server(loop_, std::move(loaded), std::move(paths));
    loop_.RunUntilDone([](Embedded& self, daemon::Daemon& server,
                          std::promise<absl::Status>& ready) -> io::Task<bool> {
      absl::Status status = co_await server.Start();
      if (status.ok()) {
        self.port_ = server.port();
        self.token_ = server.token();
      }
      ready.set_value(status);
      if (!status.ok()) co_return false;
      co_await self.stop_.Wait();
      co_await server.Stop(kEmbeddedDrain);
      co_return true;
    }(*this, server, ready));
  }

  io::Loop loop_;
  io::OneShot<bool> stop_;
  std::thread thread_;
  absl::Status status_;
  std::uint16_t port_ = 0;
  Secret token_;
};

struct Client::Parts {
  io::Loop loop;
  std::unique_ptr<io::HttpClient> http;
  std::unique_ptr<Embedded> embedded;
  std::string base;
  Secret token;
};

Client::Client(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Client::~Client() = default;

io::Loop& Client::loop() {
  return parts_->loop;
}
bool Client::embedded() const {
  return parts_->embedded != nullptr;
}

bool Client::Join(const daemon::Paths& paths, const Secret& configured) {
  auto announced = daemon::ReadAnnouncement(paths);
  if (!announced.ok()) return false;
  auto token = daemon::ReadOrMakeToken(paths, configured);
  if (!token.ok()) return false;
  std::string host = announced->bind;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  parts_->base = fmt::format("http://{}:{}", host, announced->port);
  io::HttpRequest request;
  request.url = parts_->base + "/health";
  const std::string nonce = RandomHex(kNonceBytes);
  request.headers.Set("X-Talon-Nonce", nonce);
  CallContext context;
  context.deadline = std::chrono::steady_clock::now() + kHealthTimeout;
  auto health = loop().RunUntilDone(parts_->http->Fetch(std::move(request), context));
  if (!health.ok() || !ConstantTimeEquals(health->headers.Get("X-Talon-Proof"),
                                          gateway::HealthProof(*token, nonce))) {
    return false;
  }
  parts_->token = *std::move(token);
  return true;
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect() {
  TALON_ASSIGN_OR_RETURN(daemon::Paths paths, daemon::FindPaths(&std::getenv));
  TALON_ASSIGN_OR_RETURN(config::Loaded loaded,
                         config::Load(paths.config, paths.config_missing, &std::getenv));
  auto parts = std::make_unique<Parts>();
  parts->http = io::MakeCurlClient(parts->loop, {.use_proxy = false});
  std::unique_ptr<Client> client(new Client(std::move(parts)));
  const Secret configured = loaded.config.gateway.token;
  loaded.config.gateway.http.port = 0;
  loaded.config.gateway.http.bind = "127.0.0.1";
  loaded.config.log.level = std::max(loaded.config.log.level, log::Level::kError);
  const SteadyTime give_up = std::chrono::steady_clock::now() + kStartPatience;
  while (true) {
    if (client->Join(paths, configured)) return client;
    auto embedded = std::make_unique<Embedded>(loaded, paths);
    if (embedded->status().ok()) {
      client->parts_->base = fmt::format("http://127.0.0.1:{}", embedded->port());
      client->parts_->token = embedded->token();
      client->parts_->embedded = std::move(embedded);
      return client;
    }
    // Another client's daemon holds the folder: it is about to announce itself or to end.
    const bool held = ReasonOf(embedded->status()) == ErrorReason::kAlreadyRunning;
    if (!held || std::chrono::steady_clock::now() > give_up) return embedded->status();
    io::Loop& loop = client->loop();
    TALON_RETURN_IF_ERROR(loop.RunUntilDone(
        loop.SleepUntil(std::chrono::steady_clock::now() + kStartPause, CallContext())));
  }
}

io::Task<absl::StatusOr<std::string>> Client::CallAsync(std::string method, std::string path,
                                                        std::string body, CallContext context) {
  io::HttpRequest request;
  request.method = std::move(method);
  request.url = parts_->base + path;
  request.headers.Set("Authorization", "Bearer " + parts_->token.Reveal());
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  request.body = std::move(body);
  auto response = co_await parts_->http->Fetch(std::move(request), std::move(context));
  TALON_CO_RETURN_IF_ERROR(response.status());
  if (response->status >= 300) co_return FromAnswer(response->status, response->body);
  co_return std::move(response->body);
}

absl::StatusOr<std::string> Client::Call(std::string method, std::string path, std::string body) {
  return loop().RunUntilDone(
      CallAsync(std::move(method), std::move(path), std::move(body), CallContext()));
}

io::Task<absl::Status> Client::RunTurn(TurnRequest request, EventHandler on_event,
                                       CallContext context) {
  for (const auto& [name, text] : {std::pair("message", &request.message),
                                   {"session", &request.session},
                                   {"model", &request.model}}) {
    TALON_CO_RETURN_IF_ERROR(CheckUtf8(name, *text));
  }
  Json body = {{"message", request.message}, {"session", request.session}, {"origin", "cli"}};
  if (!request.model.empty()) body["model"] = request.model;
  if (request.task) body["mode"] = "task";
  io::HttpRequest http;
  http.method = "POST";
  http.url = "/v1/turns";
  http.headers.Set("Content-Type", "application/json");
  http.body = DumpJson(body);
  absl::Status outcome =
      Unavailable("the daemon closed the stream before the turn ended; see `talon sessions`");
  const absl::Status streamed = co_await ReadEvents(
      std::move(http),
      [&](std::string_view event, const Json& data) {
        on_event(event, data);
        if (event == "done") outcome = absl::OkStatus();
        if (event == "error") {
          const Json* error = JsonFind(data, "error");
          outcome =
              Unavailable(error != nullptr ? JsonString(*error, "message") : "the turn failed");
        }
        return event != "done" && event != "error";
      },
      std::move(context));
  co_return streamed.ok() ? outcome : streamed;
}

io::Task<absl::Status> Client::Follow(std::string path, EventHandler on_event,
                                      CallContext context) {
  io::HttpRequest http;
  http.method = "GET";
  http.url = std::move(path);
  co_return co_await ReadEvents(
      std::move(http),
      [&](std::string_view event, const Json& data) {
        on_event(event, data);
        return true;
      },
      std::move(context));
}

// `http.url` is a path. Ends with the stream, or when `on_event` wants no more.
io::Task<absl::Status> Client::ReadEvents(
    io::HttpRequest http, std::function<bool(std::string_view, const Json&)> on_event,
    CallContext context) {
  http.url = parts_->base + http.url;
  http.headers.Set("Authorization", "Bearer " + parts_->token.Reveal());
  http.max_body_bytes = 0;
  auto opened = co_await parts_->http->Open(std::move(http), std::move(context));
  TALON_CO_RETURN_IF_ERROR(opened.status());
  io::HttpStream& stream = **opened;
  io::SseParser parser;
  std::string error_body;
  while (true) {
    auto piece = co_await stream.Read();
    TALON_CO_RETURN_IF_ERROR(piece.status());
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
