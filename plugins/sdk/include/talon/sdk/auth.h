// SPDX-License-Identifier: Apache-2.0
// Extension point: who does a token belong to? A plugin that also derives from AuthProvider is
// asked for every token that is not the daemon's own, once `gateway.auth_plugin` names it.
//
//   class Tokens : public Plugin, public AuthProvider {
//    public:
//     absl::StatusOr<Identity> Authenticate(const Credential& credential, const CallInfo&)
//     override;
//   };
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

struct Credential {
  std::string scheme;  // "bearer"
  std::string secret;  // what follows the scheme; never log it
  // Of the request.
  std::string remote_address, method, path;
};

struct Identity {
  std::string user;                 // not empty
  std::string tenant;               // empty = "default"
  std::vector<std::string> scopes;  // "read", "chat", "admin"; none = "chat"
  // How long the daemon may remember this answer; 0 = not at all, at most 5 min are kept.
  std::chrono::milliseconds ttl{0};
};

class AuthProvider {
 public:
  virtual ~AuthProvider() = default;
  // UNAUTHENTICATED, PERMISSION_DENIED or NOT_FOUND refuse the token; the message is for the
  // daemon's log. Any other error means that nothing could be decided: the request is refused and
  // the caller told to try again. Several calls run at once. Compare secrets in constant time.
  virtual absl::StatusOr<Identity> Authenticate(const Credential& credential,
                                                const CallInfo& call) = 0;
};

}  // namespace talon::sdk
