// SPDX-License-Identifier: Apache-2.0
// The plugin's configuration: talon's own form, the `mcpServers` of other clients and OpenTalon's
// list. Names of credentials become their values here and nowhere else. Values, any thread.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mcp/json_rpc.h"
#include "talon/sdk/plugin.h"

namespace talon::plugins::mcp {

using Credentials = std::map<std::string, std::string>;

struct OAuthConfig {
  enum class Grant {
    kNone,               // no tokens but those in `headers`
    kConsent,            // a person signs in (authorization code with PKCE)
    kClientCredentials,  // the client is its own user
  };
  Grant grant = Grant::kNone;
  // Registered with the authorization server; without an id the client registers itself.
  std::string client_id, client_secret;
  std::string client_metadata_url;  // an id that describes itself, where such are taken
  std::string scope;                // empty: what the server asks for
  std::string redirect_uri = "http://127.0.0.1:33418/callback";
};

struct ServerConfig {
  std::string name;
  bool enabled = true;
  // One of the two.
  std::string command;
  std::string url;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;
  std::string cwd;
  std::map<std::string, std::string> headers;
  // Header = "user", "tenant", "agent", "origin" or "session_id" of the one who calls.
  std::map<std::string, std::string> context_headers;
  OAuthConfig oauth;

  std::string protocol = "auto";  // or a revision
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds start_timeout{30'000};
  // Tools by their names at the server, "*" at the end stands for anything. Empty include: all.
  std::vector<std::string> include, exclude;
  bool resources = true, prompts = true;  // offered as tools
  std::vector<std::string> roots;         // absolute folders, or "workspace"
  bool trust_hints = false;               // believe readOnlyHint and its like
  // What a tool does, by the operator's word: name or "*" → effect.
  std::map<std::string, sdk::Effect> effects;
};

// Servers in the order of their names. InvalidArgument names the server and the option. A server
// whose credentials are missing is refused with the rest: a token left out by mistake must not go
// unnoticed.
absl::StatusOr<std::vector<ServerConfig>> ParseServers(const Json& config,
                                                       const Credentials& credentials);

// "$(NAME)" replaced ("${NAME}" is the daemon's own, of its environment); NotFound names the
// credential that is not there.
absl::StatusOr<std::string> Expand(std::string_view text, const Credentials& credentials);

bool Matches(std::string_view pattern, std::string_view name);

}  // namespace talon::plugins::mcp
