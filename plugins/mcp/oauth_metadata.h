// SPDX-License-Identifier: Apache-2.0
// Who gives out tokens for a server, by RFC 9728 (the server says) and RFC 8414 (the authorization
// server says). What does not fit together is refused: a resource that is another, an issuer that
// is another.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mcp/oauth_http.h"

namespace talon::plugins::mcp {

// What a WWW-Authenticate header says for "Bearer"; what it does not say is empty.
struct Challenge {
  std::string error, scope, resource_metadata;
};
Challenge ParseChallenge(std::string_view header);

struct Issuer {
  std::string resource;             // what tokens are for
  std::vector<std::string> scopes;  // that the resource names
  std::string issuer;
  std::string authorization_endpoint, token_endpoint, registration_endpoint;
  std::vector<std::string> auth_methods;   // of the token endpoint; empty: not said
  std::vector<std::string> server_scopes;  // scopes_supported of the authorization server
  bool s256 = false;                       // PKCE
  bool takes_metadata_documents = false;   // a URL as client id
  bool tells_issuer = false;               // `iss` in its responses (RFC 9207)
};

absl::StatusOr<Issuer> FindIssuer(const Web& web, const std::string& server_url,
                                  const Challenge& challenge);

}  // namespace talon::plugins::mcp
