// SPDX-License-Identifier: Apache-2.0
#include "plugin/extension/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "plugin/extension/options.h"
#include "plugin/h2/wire.h"
#include "plugin/host.h"
#include "talon/v1/http.pb.h"

namespace talon::plugin {
namespace {

constexpr std::string_view kHandle = "/talon.v1.HttpEndpoint/Handle";
constexpr std::string_view kPrefix = "/plugins/";

// A page of a plugin shares its origin with the API: it gets no script, no connection and no frame,
// and `sandbox` makes its origin a foreign one.
constexpr std::string_view kPolicy =
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; sandbox allow-forms";

constexpr std::array<std::string_view, 9> kHopByHop = {"connection",
                                                       "keep-alive",
                                                       "proxy-authenticate",
                                                       "proxy-authorization",
                                                       "proxy-connection",
                                                       "te",
                                                       "trailer",
                                                       "transfer-encoding",
                                                       "upgrade"};
constexpr std::array<std::string_view, 5> kNotToPlugin = {"authorization", "cookie", "host",
                                                          "content-length", "expect"};
// What speaks for the whole origin, lasts beyond the answer, or leads elsewhere by itself.
constexpr std::array<std::string_view, 13> kNotFromPlugin = {"set-cookie",
                                                             "content-length",
                                                             "date",
                                                             "server",
                                                             "clear-site-data",
                                                             "service-worker-allowed",
                                                             "www-authenticate",
                                                             "refresh",
                                                             "strict-transport-security",
                                                             "alt-svc",
                                                             "nel",
                                                             "report-to",
                                                             "reporting-endpoints"};

bool Contains(const auto& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

bool IsToken(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

bool IsHeaderValue(std::string_view value) {
  return std::ranges::none_of(value, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 32 && c != '\t') || byte == 127;
  });
}

bool HasBody(std::uint32_t status) {
  return status != 204 && status != 205 && status != 304;
}

absl::StatusOr<io::ServerResponse> Admit(v1::HttpResponse& answer) {
  if (answer.status() < 200 || answer.status() > 599) {
    return h2::Misbehaved(fmt::format("status {} is not between 200 and 599", answer.status()));
  }
  if (answer.headers_size() > kMaxResponseHeaders) {
    return h2::Misbehaved(
        fmt::format("{} headers; at most {}", answer.headers_size(), kMaxResponseHeaders));
  }
  io::ServerResponse response;
  response.status = static_cast<int>(answer.status());
  std::size_t bytes = 0;
  for (const v1::HttpHeader& header : answer.headers()) {
    bytes += header.name().size() + header.value().size();
    if (!IsToken(header.name()) || !IsHeaderValue(header.value()) ||
        bytes > kMaxResponseHeaderBytes) {
      return h2::Misbehaved(
          fmt::format("header '{}' is malformed or too much", h2::CleanText(header.name(), 80)));
    }
    if (PassesFromPlugin(header.name())) response.headers.Add(header.name(), header.value());
  }
  response.headers.Set("X-Content-Type-Options", "nosniff");
  response.headers.Set("Content-Security-Policy", std::string(kPolicy));
  response.headers.Set("Referrer-Policy", "no-referrer");
  if (!response.headers.Has("Content-Type") && !answer.body().empty()) {
    response.headers.Set("Content-Type", "application/octet-stream");
  }
  if (HasBody(answer.status())) response.body = std::move(*answer.mutable_body());
  return response;
}

}  // namespace

EndpointPath SplitEndpointPath(std::string_view path) {
  if (!path.starts_with(kPrefix)) return {};
  path.remove_prefix(kPrefix.size());
  const std::size_t slash = path.find('/');
  if (slash == 0 || slash == std::string_view::npos) return {};
  const std::string below = fmt::format("{}/", path.substr(slash));
  // A path that the two sides could read differently reaches nobody.
  if (below.find("/../") != std::string::npos || below.find("/./") != std::string::npos ||
      path.find("//") != std::string_view::npos || path.find('\\') != std::string_view::npos ||
      !IsValidUtf8(path) || !IsHeaderValue(path)) {
    return {};
  }
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash))};
}

bool PassesToPlugin(std::string_view header) {
  const std::string name = ToLowerAscii(header);
  return !Contains(kHopByHop, name) && !Contains(kNotToPlugin, name) &&
         !name.starts_with("x-talon-") && !name.starts_with("x-forwarded-");
}

bool PassesFromPlugin(std::string_view header) {
  const std::string name = ToLowerAscii(header);
  return !Contains(kHopByHop, name) && !Contains(kNotFromPlugin, name) &&
         !name.starts_with("access-control-") && !name.starts_with("content-security-policy") &&
         !name.starts_with("x-talon-");
}

const Manifest::Route* HttpPoint::Find(const EndpointPath& at, std::string_view method,
                                       std::string* allowed) const {
  allowed->clear();
  const Manifest* manifest = host_.ManifestOf(at.plugin);
  if (manifest == nullptr || !manifest->http) return nullptr;
  const Manifest::Route* found = nullptr;
  for (const Manifest::Route& route : *manifest->http) {
    const bool fits =
        route.path.ends_with('/') ? at.path.starts_with(route.path) : at.path == route.path;
    if (!fits) continue;
    if (route.method != "*" && route.method != method) {
      *allowed += (allowed->empty() ? "" : ", ") + route.method;
    } else if (found == nullptr || route.path.size() > found->path.size()) {
      found = &route;
    }
  }
  return found;
}

io::Task<absl::StatusOr<io::ServerResponse>> HttpPoint::Handle(EndpointPath at,
                                                               io::ServerRequest request,
                                                               CallContext context) {
  v1::HttpRequest ask;
  ask.set_method(request.method);
  ask.set_path(at.path);
  ask.set_query(RepairUtf8(request.query));
  for (const auto& [name, value] : request.headers.items()) {
    if (!PassesToPlugin(name)) continue;
    v1::HttpHeader& header = *ask.add_headers();
    header.set_name(ToLowerAscii(name));
    header.set_value(RepairUtf8(value));
  }
  ask.set_body(std::move(request.body));
  v1::Actor& actor = *ask.mutable_actor();
  actor.set_tenant(context.principal.tenant);
  actor.set_user(context.principal.user);
  actor.set_agent(context.principal.agent);
  actor.set_origin(context.principal.origin);
  const bool safe = request.method == "GET" || request.method == "HEAD";
  const auto answer = co_await host_.Call(at.plugin, kHandle, ask.SerializeAsString(),
                                          context.Until(clock_.SteadyNow() + kHttpTimeout),
                                          safe ? Repeat::kIfCrashed : Repeat::kOnce);
  if (!answer.ok()) co_return answer.status();
  v1::HttpResponse response;
  absl::StatusOr<io::ServerResponse> admitted = h2::Misbehaved("the answer is no HttpResponse");
  if (response.ParseFromString(*answer)) admitted = Admit(response);
  if (!admitted.ok()) {
    co_return Annotate(admitted.status(), fmt::format("plugin '{}'", at.plugin));
  }
  co_return admitted;
}

}  // namespace talon::plugin
