// SPDX-License-Identifier: Apache-2.0
// The access token of one server: where it comes from (OAuth 2.1: client credentials, or the
// person's consent with PKCE), kept in the plugin's own folder, renewed when the server refuses it.
// Calls from any thread; Renew blocks its caller's and lets one in at a time.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "mcp/caller.h"
#include "mcp/config.h"
#include "mcp/oauth_metadata.h"

namespace talon::plugins::mcp {

class Tokens {
 public:
  // `file`: where they are kept, readable by the plugin alone; empty: nowhere.
  Tokens(std::string server, std::string url, OAuthConfig config, std::string file);

  // What goes behind "Bearer "; empty: none yet.
  std::string bearer() const;

  // After the server refused `refused` with `challenge` (its WWW-Authenticate; may be empty): gets
  // another. By the refresh token when there is one, else as configured; `caller` is the one who
  // may be asked to consent. Unauthenticated when a person would be needed and is not there.
  absl::Status Renew(const std::string& refused, const std::string& challenge, Caller& caller);

  // Consent in two steps, for a person who cannot be asked: the page to open; then the address that
  // the browser ended at, which must be the answer to the last page given out.
  absl::StatusOr<std::string> BeginConsent(const Caller& caller);
  absl::Status FinishConsent(const std::string& address, const Caller& caller);
  const std::string& redirect_uri() const { return config_.redirect_uri; }

 private:
  struct Client {
    std::string id, secret, auth_method;  // "none", "client_secret_basic", "client_secret_post"
  };
  // A page that was given out.
  struct Consent {
    std::string page;
    Issuer issuer;
    Client client;
    std::string state, verifier, scope;
  };
  using Form = std::map<std::string, std::string>;

  std::string ScopeFor(const Issuer& issuer, const Challenge& challenge) const;
  absl::StatusOr<Client> ClientFor(const Web& web, const Issuer& issuer);
  absl::StatusOr<Client> Register(const Web& web, const Issuer& issuer) const;
  absl::Status Refresh(const Web& web, const Issuer& issuer);
  absl::StatusOr<Issuer> Find(const Web& web, const Challenge& challenge);
  absl::StatusOr<Consent> MakePage(const Web& web, const Issuer& issuer, const std::string& scope);
  absl::Status Finish(const Consent& consent, const std::string& address, const Web& web);
  absl::Status AskForConsent(const Consent& consent, const Web& web, Caller& caller);
  // `scope`: that was asked for; empty: as before.
  absl::Status Exchange(const Web& web, const Issuer& issuer, const Client& client, Form form,
                        const std::string& scope);
  void Load();
  void Save(const Json& kept) const;

  const std::string server_, url_, file_;
  const OAuthConfig config_;

  std::mutex renewing_;  // one renewal at a time, and guards consent_; taken before mutex_
  std::optional<Consent> consent_;  // of BeginConsent

  mutable std::mutex mutex_;  // guards what follows
  // {"issuer", "client": {id, secret, auth_method}, "access_token", "refresh_token", "scope"}
  Json kept_ = Json::object();
};

}  // namespace talon::plugins::mcp
