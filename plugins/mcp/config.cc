// SPDX-License-Identifier: Apache-2.0
#include "mcp/config.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <optional>
#include <set>

#include "mcp/client.h"
#include "mcp/elicitation.h"

namespace talon::plugins::mcp {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxServers = 64;
constexpr std::size_t kMaxServerName = 24;
constexpr std::int64_t kMaxTimeoutMs = 3'600'000;

const std::set<std::string_view> kProtocols = {"auto", kModernVersion, "2025-11-25", "2025-06-18"};
const std::set<std::string_view> kContext = {"user", "tenant", "agent", "origin", "session_id"};

absl::Status Invalid(std::string_view server, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("server '{}': {}", server, what));
}

std::optional<sdk::Effect> EffectNamed(std::string_view name) {
  static const std::map<std::string_view, sdk::Effect> kEffects = {
      {"read", sdk::Effect::kRead}, {"write", sdk::Effect::kWrite}, {"send", sdk::Effect::kSend},
      {"exec", sdk::Effect::kExec}, {"spend", sdk::Effect::kSpend}, {"admin", sdk::Effect::kAdmin}};
  const auto found = kEffects.find(name);
  return found == kEffects.end() ? std::nullopt : std::optional(found->second);
}

// Reads one server's options and remembers what is wrong first, and which options are known.
class Reader {
 public:
  Reader(std::string server, const Json& options, const Credentials& credentials)
      : server_(std::move(server)), options_(options), credentials_(credentials) {}

  const absl::Status& status() const { return status_; }

  void Fail(std::string_view what) {
    if (status_.ok()) status_ = Invalid(server_, what);
  }

  const Json& Get(const char* name) {
    known_.insert(name);
    return MemberOf(options_, name);
  }

  std::string Text(const char* name) { return Text(name, Get(name)); }

  std::vector<std::string> Texts(const char* name) { return Texts(name, Get(name)); }
  std::vector<std::string> Texts(std::string_view name, const Json& value) {
    std::vector<std::string> out;
    if (value.is_null()) return out;
    if (value.is_string()) return {Text(name, value)};
    if (!value.is_array()) Fail(fmt::format("'{}' must be a list of texts", name));
    for (const Json& item : value) out.push_back(Text(name, item));
    return out;
  }

  std::map<std::string, std::string> Map(const char* name) {
    std::map<std::string, std::string> out;
    const Json& value = Get(name);
    if (value.is_null()) return out;
    if (!value.is_object()) Fail(fmt::format("'{}' must map names to texts", name));
    for (const auto& [key, item] : value.items()) out[key] = Text(name, item);
    return out;
  }

  bool Flag(const char* name, bool fallback) {
    const Json& value = Get(name);
    if (!value.is_null() && !value.is_boolean())
      Fail(fmt::format("'{}' must be true or false", name));
    return value.is_boolean() ? value.get<bool>() : fallback;
  }

  milliseconds Time(const char* name, milliseconds fallback) {
    const Json& value = Get(name);
    if (value.is_null()) return fallback;
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > kMaxTimeoutMs) {
      Fail(fmt::format("'{}' must be 1 to {} ms", name, kMaxTimeoutMs));
      return fallback;
    }
    return milliseconds(value.get<std::int64_t>());
  }

  void RefuseOthers() {
    for (const auto& [key, value] : options_.items()) {
      if (!known_.contains(key)) {
        Fail(fmt::format("option '{}' is not known; known are: {}", key, fmt::join(known_, ", ")));
      }
    }
  }

  std::string Text(std::string_view name, const Json& value) {
    if (value.is_null()) return "";
    if (!value.is_string()) {
      Fail(fmt::format("'{}' must be text", name));
      return "";
    }
    absl::StatusOr<std::string> out = Expand(value.get<std::string>(), credentials_);
    if (!out.ok()) Fail(fmt::format("'{}': {}", name, Why(out.status())));
    return out.ok() ? *out : "";
  }

 private:
  const std::string server_;
  const Json& options_;
  const Credentials& credentials_;
  std::set<std::string> known_;
  absl::Status status_;
};

void ReadTools(Reader& in, ServerConfig& out) {
  const Json& tools = in.Get("tools");
  if (!tools.is_null() && !tools.is_object()) in.Fail("'tools' must have include and exclude");
  if (tools.is_object()) {
    out.include = in.Texts("tools.include", MemberOf(tools, "include"));
    out.exclude = in.Texts("tools.exclude", MemberOf(tools, "exclude"));
    for (const auto& [key, value] : tools.items()) {
      if (key != "include" && key != "exclude")
        in.Fail(fmt::format("'tools.{}' is not known", key));
    }
  }
  for (const auto& [tool, name] : in.Map("effects")) {
    const std::optional<sdk::Effect> effect = EffectNamed(name);
    if (effect) {
      out.effects.emplace(tool, *effect);
    } else {
      in.Fail(fmt::format("'effects.{}' must be read, write, send, exec, spend or admin", tool));
    }
  }
}

OAuthConfig ReadOAuth(Reader& in) {
  OAuthConfig out;
  const Json& oauth = in.Get("oauth");
  if (oauth.is_null() || oauth == false) return out;
  out.grant = OAuthConfig::Grant::kConsent;
  if (oauth == true) return out;
  if (!oauth.is_object()) in.Fail("'oauth' must be true or a map of options");
  std::string grant;
  const std::map<std::string, std::string*> fields = {
      {"grant", &grant},
      {"client_id", &out.client_id},
      {"client_secret", &out.client_secret},
      {"client_metadata_url", &out.client_metadata_url},
      {"scope", &out.scope},
      {"redirect_uri", &out.redirect_uri}};
  for (const auto& [key, value] : oauth.items()) {
    const auto field = fields.find(key);
    if (field == fields.end()) {
      in.Fail(fmt::format("'oauth.{}' is not known", key));
    } else {
      *field->second = in.Text("oauth." + key, value);
    }
  }
  if (grant == "client_credentials") {
    out.grant = OAuthConfig::Grant::kClientCredentials;
    if (out.client_id.empty()) in.Fail("'oauth.grant' client_credentials needs 'oauth.client_id'");
  } else if (!grant.empty() && grant != "consent") {
    in.Fail("'oauth.grant' must be consent or client_credentials");
  }
  if (!IsSafePage(out.redirect_uri)) {
    in.Fail("'oauth.redirect_uri' must be https or on this machine");
  }
  return out;
}

bool NamesAuthorization(const std::map<std::string, std::string>& headers) {
  return std::any_of(headers.begin(), headers.end(), [](const auto& header) {
    return strcasecmp(header.first.c_str(), "Authorization") == 0;
  });
}

void Check(Reader& in, const ServerConfig& server) {
  if (server.command.empty() == server.url.empty()) in.Fail("needs either 'command' or 'url'");
  if (!server.url.empty() && !server.url.starts_with("https://") &&
      !server.url.starts_with("http://")) {
    in.Fail("'url' must begin with https:// or http://");
  }
  if (!server.headers.empty() && !server.url.empty() && !IsSafePage(server.url)) {
    in.Fail("tokens are not sent over http:// to another machine; use https://");
  }
  if (server.oauth.grant != OAuthConfig::Grant::kNone) {
    if (!IsSafePage(server.url)) in.Fail("'oauth' needs a 'url' that begins with https://");
    if (NamesAuthorization(server.headers)) {
      in.Fail("either 'oauth' or an Authorization header in 'headers'");
    }
  }
  if (!server.cwd.empty() && server.cwd[0] != '/') in.Fail("'cwd' must be absolute");
  for (const std::string& root : server.roots) {
    if (root != "workspace" && !root.starts_with('/')) {
      in.Fail("'roots' are absolute folders or \"workspace\"");
    }
  }
  for (const auto& [header, source] : server.context_headers) {
    if (!kContext.contains(source)) {
      in.Fail(
          fmt::format("'context_headers.{}' must be one of {}", header, fmt::join(kContext, ", ")));
    }
  }
  for (const auto& [header, value] : server.headers) {
    if ((header + value).find_first_of("\r\n") != std::string::npos)
      in.Fail("a header has a line end");
  }
  if (!kProtocols.contains(server.protocol)) {
    in.Fail(fmt::format("'protocol' must be one of {}", fmt::join(kProtocols, ", ")));
  }
}

absl::StatusOr<ServerConfig> ParseServer(const std::string& name, const Json& options,
                                         const Credentials& credentials) {
  if (!options.is_object()) return Invalid(name, "must be a map of options");
  Reader in(name, options, credentials);
  ServerConfig out{.name = name};
  in.Get("name");
  out.enabled = in.Flag("enabled", !in.Flag("disabled", false));
  out.command = in.Text("command");
  out.url = in.Text("url");
  if (const std::string server = in.Text("server"); out.url.empty()) out.url = server;  // OpenTalon
  out.args = in.Texts("args");
  out.env = in.Map("env");
  out.cwd = in.Text("cwd");
  out.headers = in.Map("headers");
  out.context_headers = in.Map("context_headers");
  out.oauth = ReadOAuth(in);
  const std::string type = in.Text("type");
  if (type == "sse")
    in.Fail("type 'sse' (the transport of 2024) is not spoken; use streamable HTTP");
  if (!type.empty() && type != "stdio" && type != "http" && type != "streamable-http") {
    in.Fail(fmt::format("type '{}' is not known: stdio or http", type));
  }
  if (const std::string protocol = in.Text("protocol"); !protocol.empty()) out.protocol = protocol;
  out.timeout = in.Time("timeout_ms", out.timeout);
  out.start_timeout = in.Time("start_timeout_ms", out.start_timeout);
  out.resources = in.Flag("resources", true);
  out.prompts = in.Flag("prompts", true);
  out.roots = in.Texts("roots");
  out.trust_hints = in.Flag("trust_hints", false);
  const Json& sampling = in.Get("sampling");
  if (!sampling.is_null() && sampling != false && sampling != "off") {
    in.Fail("'sampling' can only be off: a plugin has no way to the daemon's language model");
  }
  ReadTools(in, out);
  in.RefuseOthers();
  Check(in, out);
  if (!in.status().ok()) return in.status();
  return out;
}

absl::Status CheckName(std::string_view name) {
  const bool fine = !name.empty() && name.size() <= kMaxServerName && name.front() != '_' &&
                    name.back() != '_' && name.find("__") == std::string_view::npos &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '_' || c == '-';
                    });
  if (fine) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "server '{}': names have at most {} of a-z, A-Z, 0-9, - and _, no \"__\", no _ at their ends",
      name, kMaxServerName));
}

}  // namespace

bool Matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

absl::StatusOr<std::string> Expand(std::string_view text, const Credentials& credentials) {
  std::string out;
  while (true) {
    const std::size_t open = text.find("$(");
    const std::size_t close = text.find(')', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) break;
    out += text.substr(0, open);
    const std::string name(text.substr(open + 2, close - open - 2));
    const auto found = credentials.find(name);
    if (found == credentials.end()) {
      return absl::NotFoundError(fmt::format(
          "there is no credential '{}'; name it under `credentials` of this plugin's entry", name));
    }
    out += found->second;
    text = text.substr(close + 1);
  }
  return out += text;
}

absl::StatusOr<std::vector<ServerConfig>> ParseServers(const Json& config,
                                                       const Credentials& credentials) {
  std::map<std::string, Json> found;
  for (const char* key : {"servers", "mcpServers"}) {
    const Json& servers = MemberOf(config, key);
    if (servers.is_null()) continue;
    if (!servers.is_structured()) {
      return absl::InvalidArgumentError(fmt::format("'{}' must map names to servers", key));
    }
    for (const auto& [index, options] : servers.items()) {
      const std::string name = servers.is_array() ? StringOf(options, "name") : index;
      if (!found.emplace(name, options).second) return Invalid(name, "is there twice");
    }
  }
  if (found.size() > kMaxServers) {
    return absl::InvalidArgumentError(fmt::format("more than {} servers", kMaxServers));
  }
  std::vector<ServerConfig> out;
  for (const auto& [name, options] : found) {
    if (absl::Status status = CheckName(name); !status.ok()) return status;
    absl::StatusOr<ServerConfig> server = ParseServer(name, options, credentials);
    if (!server.ok()) return server.status();
    if (server->enabled) out.push_back(*std::move(server));
  }
  return out;
}

}  // namespace talon::plugins::mcp
