// SPDX-License-Identifier: Apache-2.0
// Asks a plugin who a bearer token belongs to (proto/talon/v1/auth.proto). Accepted answers are
// remembered as long as the plugin allows, by a digest of the token; refusals and failures are not.
// Loop's thread.
#pragma once

#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/clock.h"
#include "io/task.h"

namespace talon::plugin {

class Host;

// What an authenticated caller may do; each includes those before it.
enum class Scope { kRead, kChat, kAdmin };
std::string_view ScopeName(Scope scope);

struct Identity {
  std::string tenant, user;  // printable; never the owner's name without kAdmin
  Scope scope = Scope::kRead;
};

struct AuthQuestion {
  std::string token;
  std::string remote_address, method, path;
};

class AuthPoint {
 public:
  // Both must outlive this. `plugin`: gateway.auth_plugin; empty: configured() is false.
  AuthPoint(Host& host, const Clock& clock, std::string plugin)
      : host_(host), clock_(clock), plugin_(std::move(plugin)) {}

  bool configured() const { return !plugin_.empty(); }
  // Unauthenticated when the plugin refuses the token, or says something of it that cannot be;
  // Unavailable when it cannot answer.
  io::Task<absl::StatusOr<Identity>> Authenticate(AuthQuestion question, CallContext context);

 private:
  struct Known {
    Identity identity;
    SteadyTime until;
  };
  void Remember(const std::string& digest, Identity identity, SteadyTime until);

  Host& host_;
  const Clock& clock_;
  const std::string plugin_;
  std::unordered_map<std::string, Known> known_;  // by sha256 of the token
};

}  // namespace talon::plugin
