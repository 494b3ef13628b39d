// SPDX-License-Identifier: Apache-2.0
#include "plugin/extension/auth.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "base/log.h"
#include "base/principal.h"
#include "base/status.h"
#include "base/text.h"
#include "plugin/extension/options.h"
#include "plugin/h2/wire.h"
#include "plugin/host.h"
#include "talon/v1/auth.pb.h"

namespace talon::plugin {
namespace {

constexpr std::string_view kAuthenticate = "/talon.v1.AuthProvider/Authenticate";

// The names become parts of keys: no control characters.
bool IsPerson(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && IsValidUtf8(name) &&
         std::ranges::none_of(name, [](char c) { return static_cast<unsigned char>(c) < 32; });
}

absl::StatusOr<Identity> IdentityOf(const v1::AuthenticateResponse& response) {
  Identity identity;
  identity.user = response.user();
  identity.tenant = response.tenant().empty() ? Principal().tenant : response.tenant();
  if (!IsPerson(identity.user) || !IsPerson(identity.tenant)) {
    return InvalidArgument(
        fmt::format("user and tenant are 1 to {} bytes of printable text", kMaxNameBytes));
  }
  if (response.scopes().empty()) identity.scope = Scope::kChat;
  for (const std::string& name : response.scopes()) {
    bool known = false;
    for (const Scope scope : {Scope::kRead, Scope::kChat, Scope::kAdmin}) {
      if (name != ScopeName(scope)) continue;
      known = true;
      identity.scope = std::max(identity.scope, scope);
    }
    // Granting nothing for it could still be more than was meant.
    if (!known) {
      return InvalidArgument(fmt::format("scope '{}' is not one of read, chat, admin",
                                         h2::CleanText(name, kMaxNameBytes)));
    }
  }
  const Principal owner;
  if (identity.user == owner.user && identity.tenant == owner.tenant &&
      identity.scope != Scope::kAdmin) {
    return InvalidArgument(
        fmt::format("the name '{}' in tenant '{}' is the owner's; it needs the scope admin",
                    owner.user, owner.tenant));
  }
  return identity;
}

}  // namespace

std::string_view ScopeName(Scope scope) {
  switch (scope) {
    case Scope::kRead:
      return "read";
    case Scope::kChat:
      return "chat";
    case Scope::kAdmin:
      return "admin";
  }
  return "none";
}

io::Task<absl::StatusOr<Identity>> AuthPoint::Authenticate(AuthQuestion question,
                                                           CallContext context) {
  const std::string digest = Sha256Hex(question.token);
  const SteadyTime now = clock_.SteadyNow();
  if (const auto found = known_.find(digest); found != known_.end()) {
    if (found->second.until > now) co_return found->second.identity;
    known_.erase(found);
  }
  v1::AuthenticateRequest request;
  request.set_scheme("bearer");
  request.set_credential(question.token);
  request.set_remote_address(question.remote_address);
  request.set_method(question.method);
  request.set_path(RepairUtf8(question.path));
  const auto answer = co_await host_.Call(plugin_, kAuthenticate, request.SerializeAsString(),
                                          context.Until(now + kAuthTimeout), Repeat::kIfCrashed);
  v1::AuthenticateResponse response;
  if (!answer.ok() || !response.ParseFromString(*answer)) {
    log::Error(
        "authentication has no answer",
        {{"plugin", plugin_},
         {"status", answer.ok() ? "not an AuthenticateResponse" : StatusText(answer.status())}});
    co_return Unavailable(fmt::format(
        "the authentication plugin '{}' cannot answer now; try again in a moment", plugin_));
  }
  if (!response.accepted()) {
    log::Info("token refused", {{"plugin", plugin_},
                                {"peer", question.remote_address},
                                {"reason", h2::CleanText(response.reason(), kMaxTitleBytes)}});
    co_return absl::UnauthenticatedError("the bearer token was refused");
  }
  auto identity = IdentityOf(response);
  if (!identity.ok()) {
    log::Error("authentication gave an answer that cannot be",
               {{"plugin", plugin_}, {"reason", Message(identity.status())}});
    co_return absl::UnauthenticatedError("the bearer token was refused");
  }
  const auto ttl = std::min(std::chrono::milliseconds(response.ttl_ms()), kLongestAuthTtl);
  if (ttl.count() > 0) Remember(digest, *identity, now + ttl);
  co_return identity;
}

void AuthPoint::Remember(const std::string& digest, Identity identity, SteadyTime until) {
  if (known_.size() >= kMaxAuthCache) {
    const SteadyTime now = clock_.SteadyNow();
    std::erase_if(known_, [&](const auto& item) { return item.second.until <= now; });
    if (known_.size() >= kMaxAuthCache) known_.erase(known_.begin());
  }
  known_[digest] = {std::move(identity), until};
}

}  // namespace talon::plugin
