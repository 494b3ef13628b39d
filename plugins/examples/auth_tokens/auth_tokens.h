// SPDX-License-Identifier: Apache-2.0
// Knows people by bearer tokens. The file has one line a token: the SHA-256 of the token in hex,
// the user, and optionally tenant and scopes; '#' begins a comment:
//   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  ada  acme  chat
// A digest comes from `printf %s "$TOKEN" | sha256sum`. The file is read again when it changes.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "talon/sdk/auth.h"
#include "talon/sdk/plugin.h"

namespace talon::examples {

class AuthTokens : public sdk::Plugin, public sdk::AuthProvider {
 public:
  AuthTokens();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;
  absl::StatusOr<sdk::Identity> Authenticate(const sdk::Credential& credential,
                                             const sdk::CallInfo& call) override;

 private:
  absl::Status Refresh();

  std::string path_;
  std::chrono::milliseconds ttl_{0};
  std::mutex mutex_;                             // guards what follows
  std::string stamp_;                            // of the file as read
  std::map<std::string, sdk::Identity> people_;  // by digest
};

}  // namespace talon::examples
