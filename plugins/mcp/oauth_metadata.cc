// SPDX-License-Identifier: Apache-2.0
#include "mcp/oauth_metadata.h"

#include <fmt/format.h>

#include <algorithm>

namespace talon::plugins::mcp {
namespace {

std::vector<std::string> TextsOf(const Json& json, const char* name) {
  std::vector<std::string> out;
  const Json& list = MemberOf(json, name);
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

std::string WithoutSlash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// A token for a whole site, or for a part of it that holds the server, is one for the server.
bool Covers(const std::string& resource, const std::string& url) {
  if (OriginOf(resource) != OriginOf(url)) return false;
  const std::string whole = WithoutSlash(PathOf(resource)), part = PathOf(url);
  return part == whole || part.starts_with(whole + "/") || whole.empty();
}

// The first of `urls` that answers with an object; NotFound when none does.
absl::StatusOr<Json> FirstOf(const Web& web, const std::vector<std::string>& urls) {
  for (const std::string& url : urls) {
    absl::StatusOr<WebAnswer> answer = web.Get(url);
    if (!answer.ok()) return answer.status();
    if (answer->status == 200 && answer->body.is_object()) return std::move(answer->body);
    if (answer->status / 100 == 5) {
      return absl::UnavailableError(fmt::format("'{}': HTTP {}", url, answer->status));
    }
  }
  return absl::NotFoundError(fmt::format("none of {} is there", fmt::join(urls, ", ")));
}

absl::StatusOr<Json> FindResource(const Web& web, const std::string& server,
                                  const Challenge& challenge) {
  std::vector<std::string> urls;
  const std::string site = OriginOf(server), path = WithoutSlash(PathOf(server));
  if (!challenge.resource_metadata.empty()) {
    if (OriginOf(challenge.resource_metadata) != site) {
      return absl::PermissionDeniedError(
          fmt::format("the server's resource metadata would be at another site, '{}'",
                      challenge.resource_metadata.substr(0, 200)));
    }
    urls.push_back(challenge.resource_metadata);
  } else {
    if (!path.empty()) urls.push_back(site + "/.well-known/oauth-protected-resource" + path);
    urls.push_back(site + "/.well-known/oauth-protected-resource");
  }
  absl::StatusOr<Json> found = FirstOf(web, urls);
  if (!found.ok()) return found.status();
  const std::string resource = StringOf(*found, "resource");
  if (!Covers(resource, server)) {
    return absl::PermissionDeniedError(fmt::format(
        "the server says its tokens are for '{}', which it is not", resource.substr(0, 200)));
  }
  return found;
}

absl::StatusOr<Json> FindServer(const Web& web, const std::string& issuer) {
  const std::string site = OriginOf(issuer), path = WithoutSlash(PathOf(issuer));
  std::vector<std::string> urls = {site + "/.well-known/oauth-authorization-server" + path,
                                   site + "/.well-known/openid-configuration" + path};
  if (!path.empty()) urls.push_back(site + path + "/.well-known/openid-configuration");
  absl::StatusOr<Json> found = FirstOf(web, urls);
  if (!found.ok()) return found.status();
  const std::string named = StringOf(*found, "issuer");
  if (named != issuer) {
    return absl::PermissionDeniedError(
        fmt::format("the authorization server '{}' calls itself '{}'", issuer.substr(0, 200),
                    named.substr(0, 200)));
  }
  return found;
}

}  // namespace

Challenge ParseChallenge(std::string_view header) {
  Challenge out;
  std::size_t at = 0;
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  };
  while (at < header.size()) {
    if (!is_name(header[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < header.size() && is_name(header[at])) ++at;
    const std::string_view name = header.substr(begin, at - begin);
    if (at >= header.size() || header[at] != '=') continue;  // the scheme
    std::string value;
    if (++at < header.size() && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size()) ++at;
        value += header[at];
      }
      ++at;
    } else {
      while (at < header.size() && header[at] != ',' && header[at] != ' ') value += header[at++];
    }
    if (name == "error") out.error = value;
    if (name == "scope") out.scope = value;
    if (name == "resource_metadata") out.resource_metadata = value;
  }
  return out;
}

absl::StatusOr<Issuer> FindIssuer(const Web& web, const std::string& server_url,
                                  const Challenge& challenge) {
  absl::StatusOr<Json> resource = FindResource(web, server_url, challenge);
  if (!resource.ok()) return resource.status();
  const std::vector<std::string> servers = TextsOf(*resource, "authorization_servers");
  if (servers.empty()) {
    return absl::FailedPreconditionError("the server names no authorization server");
  }
  absl::StatusOr<Json> server = FindServer(web, servers.front());
  if (!server.ok()) return server.status();
  const std::vector<std::string> methods = TextsOf(*server, "code_challenge_methods_supported");
  return Issuer{
      .resource = StringOf(*resource, "resource"),
      .scopes = TextsOf(*resource, "scopes_supported"),
      .issuer = servers.front(),
      .authorization_endpoint = StringOf(*server, "authorization_endpoint"),
      .token_endpoint = StringOf(*server, "token_endpoint"),
      .registration_endpoint = StringOf(*server, "registration_endpoint"),
      .auth_methods = TextsOf(*server, "token_endpoint_auth_methods_supported"),
      .server_scopes = TextsOf(*server, "scopes_supported"),
      .s256 = std::find(methods.begin(), methods.end(), "S256") != methods.end(),
      .takes_metadata_documents = BoolOf(*server, "client_id_metadata_document_supported"),
      .tells_issuer = BoolOf(*server, "authorization_response_iss_parameter_supported")};
}

}  // namespace talon::plugins::mcp
