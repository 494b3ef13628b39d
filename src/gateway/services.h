// SPDX-License-Identifier: Apache-2.0
// What plugins do for the daemon, over HTTP: kept values, notifications, and their own endpoints.
// Loop's thread.
#pragma once

#include <string>

#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "gateway/options.h"
#include "io/http_server.h"
#include "io/task.h"
#include "plugin/extension/extensions.h"

namespace talon::gateway {

// /v1/kv, /v1/kv/{key}, /v1/notifications, /v1/tasks.
class ServicesSurface {
 public:
  explicit ServicesSurface(Dependencies& deps) : deps_(deps) {}  // must outlive this
  // False when no route of this surface fits.
  io::Task<bool> Serve(const ApiRequest& request, io::ResponseWriter& writer);

 private:
  io::Task<io::ServerResponse> Keys(const ApiRequest& request);
  io::Task<io::ServerResponse> Value(const ApiRequest& request, std::string key);
  io::Task<io::ServerResponse> Put(const ApiRequest& request, std::string key, CallContext context);
  io::Task<io::ServerResponse> Notify(const ApiRequest& request);
  io::ServerResponse Tasks() const;
  Dependencies& deps_;
};

// Everything below /plugins/. Routes that are public are served without a token.
class EndpointSurface {
 public:
  // Both must outlive this.
  EndpointSurface(Dependencies& deps, const GatewayOptions& options)
      : deps_(deps), options_(options) {}
  io::Task<io::ServerResponse> Serve(io::ServerRequest request);
  // Whether such a request is served without a token.
  bool IsPublic(const io::ServerRequest& head) const;

 private:
  const plugin::Manifest::Route* Find(const plugin::EndpointPath& at, std::string_view method,
                                      std::string* allowed) const;
  Dependencies& deps_;
  const GatewayOptions& options_;
};

}  // namespace talon::gateway
