// SPDX-License-Identifier: Apache-2.0
// Who a request comes from and what they may do: the daemon's own token is the owner's, any other
// is asked of the plugin that `gateway.auth_plugin` names. Loop's thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/principal.h"
#include "base/secret.h"
#include "io/http_server.h"
#include "io/task.h"
#include "plugin/extension/auth.h"

namespace talon::gateway {

struct Caller {
  Principal principal;  // without an origin
  plugin::Scope scope = plugin::Scope::kRead;
};

// A request whose caller is known.
struct ApiRequest : io::ServerRequest {
  Caller caller;
};

// What comes behind "Authorization: Bearer "; empty when there is none. Tokens in URLs never count.
std::string_view BearerToken(const io::ServerRequest& request);

// Unauthenticated or Unavailable. `auth` may be null.
io::Task<absl::StatusOr<Caller>> IdentifyCaller(const io::ServerRequest& request,
                                                const Secret& token, plugin::AuthPoint* auth);

// PermissionDenied unless the caller may send such a request: reading needs `read`, the daemon's
// own affairs (plugins, tasks) `admin`, everything else `chat`.
absl::Status CheckScope(const Caller& caller, std::string_view method, std::string_view path);

// Whether something of `owner` is the caller's own.
bool IsOwn(const Caller& caller, const Principal& owner);

// The principal of what the request begins.
Principal PrincipalOf(const ApiRequest& request, std::string_view origin);

}  // namespace talon::gateway
