// SPDX-License-Identifier: Apache-2.0
#include "gateway/caller.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::gateway {
namespace {

plugin::Scope NeededScope(std::string_view method, std::string_view path) {
  for (const std::string_view own : {"/v1/plugins", "/v1/tasks", "/v1/grants"}) {
    if (path.starts_with(own)) return plugin::Scope::kAdmin;
  }
  return method == "GET" || method == "HEAD" ? plugin::Scope::kRead : plugin::Scope::kChat;
}

}  // namespace

std::string_view BearerToken(const io::ServerRequest& request) {
  constexpr std::string_view kPrefix = "bearer ";
  const std::string_view value = request.headers.Get("Authorization");
  if (value.size() < kPrefix.size() ||
      !EqualsIgnoreCase(value.substr(0, kPrefix.size()), kPrefix)) {
    return "";
  }
  return TrimSpace(value.substr(kPrefix.size()));
}

io::Task<absl::StatusOr<Caller>> IdentifyCaller(const io::ServerRequest& request,
                                                const Secret& token, plugin::AuthPoint* auth) {
  const std::string_view shown = BearerToken(request);
  if (!shown.empty() && ConstantTimeEquals(shown, token.Reveal())) {
    co_return Caller{.principal = {}, .scope = plugin::Scope::kAdmin};
  }
  const bool asks = auth != nullptr && auth->configured();
  if (shown.empty() || !asks) {
    co_return absl::UnauthenticatedError(
        asks ? "missing bearer token; send 'Authorization: Bearer <token>'"
             : "missing or wrong bearer token; send 'Authorization: Bearer <token>' with the "
               "content of the token file in talon's home folder");
  }
  plugin::AuthQuestion question{.token = std::string(shown),
                                .remote_address = request.peer,
                                .method = request.method,
                                .path = request.path};
  CallContext context;
  context.cancel = request.client_gone;
  auto identity = co_await auth->Authenticate(std::move(question), std::move(context));
  if (!identity.ok()) co_return identity.status();
  Caller caller;
  caller.principal.tenant = std::move(identity->tenant);
  caller.principal.user = std::move(identity->user);
  caller.scope = identity->scope;
  co_return caller;
}

absl::Status CheckScope(const Caller& caller, std::string_view method, std::string_view path) {
  const plugin::Scope needed = NeededScope(method, path);
  if (caller.scope >= needed) return absl::OkStatus();
  return PermissionDenied(fmt::format("{} {} needs the scope '{}'; this token has '{}'", method,
                                      TruncateUtf8(path, 200), plugin::ScopeName(needed),
                                      plugin::ScopeName(caller.scope)));
}

bool IsOwn(const Caller& caller, const Principal& owner) {
  return caller.principal.tenant == owner.tenant && caller.principal.user == owner.user;
}

Principal PrincipalOf(const ApiRequest& request, std::string_view origin) {
  Principal principal = request.caller.principal;
  principal.origin = origin;
  return principal;
}

}  // namespace talon::gateway
