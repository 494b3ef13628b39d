// SPDX-License-Identifier: Apache-2.0
// Extension point: HTTP endpoints below /plugins/<plugin>/ of the daemon's API. A plugin that also
// derives from HttpEndpoint adds its routes in the constructor. The daemon checks token, Host and
// Origin, limits the body, and passes on neither Authorization nor Cookie.
//
//   AddRoute({.method = "GET", .path = "/status", .description = "How it is.",
//             .handler = [](const HttpRequest&, const CallInfo&) { return HttpResponse::Text("up");
//             }});
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

struct HttpRequest {
  std::string method;
  std::string path;                            // below /plugins/<plugin>, begins with "/"
  std::string query;                           // without "?"
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string body;
  Actor actor;  // user empty for public routes
};

struct HttpResponse {
  int status = 200;  // 200 to 599
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  static HttpResponse Text(std::string body) { return Of("text/plain; charset=utf-8", body); }
  static HttpResponse Html(std::string body) { return Of("text/html; charset=utf-8", body); }
  static HttpResponse Json(std::string body) { return Of("application/json", body); }

 private:
  static HttpResponse Of(std::string_view type, std::string& body) {
    return {
        .status = 200, .headers = {{"content-type", std::string(type)}}, .body = std::move(body)};
  }
};

struct Route {
  std::string method;  // "GET", "POST" … or "*"
  std::string path;    // "/status"; a path that ends in "/" takes everything below it
  // Without the daemon's token. In force only when the operator says `expose: true`.
  bool is_public = false;
  std::string description;
  // An error becomes a JSON error with the HTTP status that fits.
  std::function<absl::StatusOr<HttpResponse>(const HttpRequest&, const CallInfo&)> handler;
};

// "&<>\"'" made harmless for a page.
std::string EscapeHtml(std::string_view text);

class HttpEndpoint {
 public:
  virtual ~HttpEndpoint() = default;
  const std::vector<Route>& routes() const { return routes_; }

 protected:
  void AddRoute(Route route) { routes_.push_back(std::move(route)); }

 private:
  std::vector<Route> routes_;
};

}  // namespace talon::sdk
