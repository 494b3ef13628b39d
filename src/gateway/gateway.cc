// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/digest.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "gateway/api.h"
#include "gateway/approvals.h"
#include "gateway/caller.h"
#include "gateway/cors.h"
#include "gateway/plugin_surface.h"
#include "gateway/services.h"
#include "gateway/surfaces.h"
#include "io/loop.h"
#include "io/one_shot.h"

namespace talon::gateway {
namespace {

// The host of "host:port" or "[v6]:port"; empty when neither.
std::string_view HostOnly(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  const std::size_t end = bracketed ? host.find(']') + 1 : host.find(':');
  const std::string_view rest = host.substr(std::min(end, host.size()));
  return rest.empty() || rest.starts_with(':') ? host.substr(0, end) : "";
}

constexpr std::size_t kShortestNonce = 32;
constexpr std::size_t kLongestNonce = 128;

// Addresses as numbers only: "127.0.0.1.example" is a name that anybody may own.
bool IsLoopbackName(std::string_view host) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1) {
    return (ntohl(address.s_addr) >> 24) == 127;
  }
  return EqualsIgnoreCase(host, "localhost") || host == "[::1]";
}

// The name in "/v1/models/<name>", which may hold a '/', encoded or not; empty for other targets.
std::string ModelIn(std::string_view target) {
  constexpr std::string_view kModels = "/v1/models/";
  if (!target.starts_with(kModels)) return "";
  target.remove_prefix(kModels.size());
  return io::PercentDecode(target.substr(0, target.find('?')));
}

class GatewayImpl : public Gateway {
 public:
  GatewayImpl(GatewayOptions options, Dependencies deps)
      : options_(std::move(options)),
        deps_(std::move(deps)),
        completions_(deps_, options_),
        native_(deps_, options_),
        plugins_(deps_, options_),
        services_(deps_),
        approvals_(deps_),
        endpoints_(deps_, options_) {}

  absl::Status Listen() {
    auto server = io::MakeHttpServer(
        deps_.loop, options_.http,
        [this](io::ServerRequest request, io::ResponseWriter& writer) {
          return Serve(std::move(request), writer);
        },
        [this](const io::ServerRequest& head) {
          return Admit(head).ok() && MayAuthenticate(head);
        });
    if (absl::IsAlreadyExists(server.status())) {
      return absl::AlreadyExistsError(
          fmt::format("{}: gateway.http.port in talon.yaml, or TALON_GATEWAY_HTTP_PORT=8421; 0 "
                      "picks a free one",
                      Message(server.status())));
    }
    TALON_ASSIGN_OR_RETURN(server_, std::move(server));
    return absl::OkStatus();
  }
  std::uint16_t port() const override { return server_->port(); }
  void Open() override {
    open_ = true;
    Release();
  }
  void Reload(const GatewayOptions& options) override {
    if (!options.token.empty()) options_.token = options.token;
    options_.stream_buffer = options.stream_buffer;
    options_.allowed_hosts = options.allowed_hosts;
    options_.allowed_origins = options.allowed_origins;
    server_->Update(options.http);
  }
  io::Task<void> Drain(SteadyTime deadline) override {
    plugins_.End();
    Release();
    return server_->Drain(deadline);
  }

 private:
  // False when the daemon ended before it was opened.
  io::Task<bool> Opened() {
    if (open_) co_return true;
    const auto released = std::make_shared<io::OneShot<bool>>();
    until_open_.push_back(released);
    co_return co_await released->Wait();
  }
  void Release() {
    for (const auto& waiter : std::exchange(until_open_, {})) waiter->Set(open_);
  }
  io::Task<void> Serve(io::ServerRequest request, io::ResponseWriter& writer);
  io::Task<void> Route(io::ServerRequest request, io::ResponseWriter& writer);
  io::Task<void> RouteApi(ApiRequest request, io::ResponseWriter& writer);
  absl::Status Admit(const io::ServerRequest& request) const;
  // Whether a body is worth reading: strangers must not fill the memory. What a plugin decides on
  // is read: who shows some token, and routes that may be public.
  bool MayAuthenticate(const io::ServerRequest& head) const {
    const std::string_view shown = BearerToken(head);
    if (!shown.empty() && ConstantTimeEquals(shown, options_.token.Reveal())) return true;
    // Whose another token is, only a plugin can say, and that takes longer than a head.
    const bool asks = deps_.extensions != nullptr && deps_.extensions->auth.configured();
    return (!shown.empty() && asks) || endpoints_.IsPublic(head);
  }

  GatewayOptions options_;
  Dependencies deps_;
  CompletionsSurface completions_;
  NativeSurface native_;
  PluginSurface plugins_;
  ServicesSurface services_;
  ApprovalSurface approvals_;
  EndpointSurface endpoints_;
  bool open_ = false;
  std::vector<std::shared_ptr<io::OneShot<bool>>> until_open_;  // shared with those who wait
  std::unique_ptr<io::HttpServer> server_;
};

// A page in a browser must not reach a local daemon: neither under a rebound name nor cross-origin.
absl::Status GatewayImpl::Admit(const io::ServerRequest& request) const {
  auto listed = [](const std::vector<std::string>& list, std::string_view value) {
    for (const std::string& item : list) {
      if (EqualsIgnoreCase(item, value)) return true;
    }
    return false;
  };
  const std::string_view host = HostOnly(request.headers.Get("Host"));
  if (!IsLoopbackName(host) && !EqualsIgnoreCase(host, options_.http.bind) &&
      !listed(options_.allowed_hosts, host)) {
    return PermissionDenied(fmt::format("host '{}' is not served; add it to gateway.allowed_hosts",
                                        TruncateUtf8(host, 100)));
  }
  const std::string_view origin = request.headers.Get("Origin");
  if (!origin.empty() && !listed(options_.allowed_origins, origin)) {
    return PermissionDenied(fmt::format(
        "origin '{}' may not call; add it to gateway.allowed_origins", TruncateUtf8(origin, 100)));
  }
  return absl::OkStatus();
}

io::Task<void> GatewayImpl::Serve(io::ServerRequest request, io::ResponseWriter& writer) {
  if (absl::Status admitted = Admit(request); !admitted.ok()) {
    co_await Reply(writer, ErrorResponse(admitted));
    co_return;
  }
  const std::string origin(request.headers.Get("Origin"));
  if (origin.empty()) {
    co_await Route(std::move(request), writer);
    co_return;
  }
  CorsWriter open(writer, origin);
  if (IsPreflight(request)) {
    co_await Reply(open, PreflightAnswer(request));
  } else {
    co_await Route(std::move(request), open);
  }
}

io::Task<void> GatewayImpl::Route(io::ServerRequest request, io::ResponseWriter& writer) {
  const std::string& path = request.path;
  if (path == "/readyz" && !open_) {
    co_await Reply(writer, ErrorResponse(Unavailable("the daemon is starting")));
    co_return;
  }
  if (path == "/health" || path == "/healthz" || path == "/readyz") {
    io::ServerResponse health = native_.Health();
    // Proves to a client that this is its daemon, before the client shows its token.
    const std::string_view nonce = request.headers.Get("X-Talon-Nonce");
    if (nonce.size() >= kShortestNonce && nonce.size() <= kLongestNonce) {
      health.headers.Set("X-Talon-Proof", HealthProof(options_.token, nonce));
    }
    co_await Reply(writer, std::move(health));
    co_return;
  }
  if (!co_await Opened()) {
    co_await Reply(writer, ErrorResponse(Unavailable("the daemon is stopping")));
    co_return;
  }
  if (path.starts_with("/plugins/")) {
    co_await Reply(writer, co_await endpoints_.Serve(std::move(request)));
    co_return;
  }
  auto caller = co_await IdentifyCaller(
      request, options_.token, deps_.extensions != nullptr ? &deps_.extensions->auth : nullptr);
  absl::Status may = caller.status();
  if (may.ok()) may = CheckScope(*caller, request.method, path);
  if (!may.ok()) {
    co_await Reply(writer, ErrorResponse(may));
    co_return;
  }
  co_await RouteApi(ApiRequest{std::move(request), *std::move(caller)}, writer);
}

io::Task<void> GatewayImpl::RouteApi(ApiRequest request, io::ResponseWriter& writer) {
  const std::string& path = request.path;
  if (co_await services_.Serve(request, writer)) co_return;
  if (co_await approvals_.Serve(request, writer)) co_return;
  if (!IsValidUtf8(request.body)) {
    co_await Reply(
        writer, ErrorResponse(InvalidArgument(fmt::format("request body: invalid UTF-8 at byte {}",
                                                          FindInvalidUtf8(request.body)))));
    co_return;
  }
  if (path == "/v1/chat/completions") {
    if (request.method == "POST") {
      co_await completions_.Complete(std::move(request), writer);
    } else {
      co_await Reply(writer, WrongMethod(path, "POST"));
    }
    co_return;
  }
  if (path == "/v1/models") {
    if (request.method == "GET") {
      co_await completions_.Models(writer);
    } else {
      co_await Reply(writer, WrongMethod(path, "GET"));
    }
    co_return;
  }
  if (std::string name = ModelIn(request.target); !name.empty()) {
    if (request.method == "GET") {
      co_await completions_.Model(std::move(name), writer);
    } else {
      co_await Reply(writer, WrongMethod(path, "GET"));
    }
    co_return;
  }
  if (co_await native_.Serve(request, writer)) co_return;
  if (co_await plugins_.Serve(request, writer)) co_return;
  co_await Reply(writer, ErrorResponse(NotFound(fmt::format(
                             "no such endpoint: {} {}", request.method, TruncateUtf8(path, 200)))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Create(GatewayOptions options,
                                                         Dependencies dependencies) {
  if (options.token.empty()) return Internal("gateway: no token; refusing to listen without one");
  auto gateway = std::make_unique<GatewayImpl>(std::move(options), std::move(dependencies));
  TALON_RETURN_IF_ERROR(gateway->Listen());
  return gateway;
}

}  // namespace talon::gateway
