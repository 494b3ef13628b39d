// SPDX-License-Identifier: Apache-2.0
#include "mcp/oauth.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "mcp/elicitation.h"
#include "talon/sdk/log.h"

namespace talon::plugins::mcp {
namespace {

constexpr std::size_t kMaxKept = 64 << 10;
constexpr std::string_view kOffline = "offline_access";

std::string Base64Url(const unsigned char* data, std::size_t size) {
  std::string out(4 * ((size + 2) / 3) + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), data, static_cast<int>(size));
  out.resize(static_cast<std::size_t>(length));
  while (out.ends_with('=')) out.pop_back();
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

// 256 bits nobody can guess; empty when there are none.
std::string Unguessable() {
  std::array<unsigned char, 32> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return "";
  return Base64Url(bytes.data(), bytes.size());
}

std::string Sha256(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return Base64Url(digest.data(), size);
}

bool Has(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string Joined(const std::vector<std::string>& scopes) {
  return fmt::format("{}", fmt::join(scopes, " "));
}

// How a client with this secret names itself to the token endpoint.
std::string AuthMethod(const Issuer& issuer, bool secret) {
  if (!secret) return "none";
  const bool post = !Has(issuer.auth_methods, "client_secret_basic") &&
                    Has(issuer.auth_methods, "client_secret_post");
  return post ? "client_secret_post" : "client_secret_basic";
}

absl::Status Refused(std::string_view what, const WebAnswer& answer) {
  const std::string error = StringOf(answer.body, "error");
  const std::string text = StringOf(answer.body, "error_description");
  return absl::UnauthenticatedError(fmt::format("{}: HTTP {}{}{}{}{}", what, answer.status,
                                                error.empty() ? "" : ", ", error,
                                                text.empty() ? "" : ": ", text.substr(0, 300)));
}

// The parameters behind the '?' of an address.
std::map<std::string, std::string> QueryOf(std::string_view address) {
  std::map<std::string, std::string> out;
  const std::size_t begin = address.find('?');
  if (begin == std::string_view::npos) return out;
  std::string_view rest = address.substr(begin + 1);
  rest = rest.substr(0, rest.find('#'));
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    out[UrlDecode(pair.substr(0, equals))] =
        UrlDecode(equals < pair.size() ? pair.substr(equals + 1) : "");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

std::string Query(const std::string& page, const std::map<std::string, std::string>& parameters) {
  std::string out = page;
  char mark = page.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : parameters) {
    out += fmt::format("{}{}={}", mark, name, UrlEncode(value));
    mark = '&';
  }
  return out;
}

}  // namespace

Tokens::Tokens(std::string server, std::string url, OAuthConfig config, std::string file)
    : server_(std::move(server)),
      url_(std::move(url)),
      file_(std::move(file)),
      config_(std::move(config)) {
  Load();
}

std::string Tokens::bearer() const {
  const std::lock_guard lock(mutex_);
  return StringOf(kept_, "access_token");
}

absl::Status Tokens::Renew(const std::string& refused, const std::string& challenge,
                           Caller& caller) {
  const std::lock_guard one(renewing_);
  if (const std::string now = bearer(); !now.empty() && now != refused) return absl::OkStatus();
  const Web web(url_, caller);
  const Challenge said = ParseChallenge(challenge);
  const absl::StatusOr<Issuer> issuer = Find(web, said);
  if (!issuer.ok()) return issuer.status();
  if (said.error != "insufficient_scope" && Refresh(web, *issuer).ok()) return absl::OkStatus();
  const std::string scope = ScopeFor(*issuer, said);
  if (config_.grant == OAuthConfig::Grant::kClientCredentials) {
    const absl::StatusOr<Client> client = ClientFor(web, *issuer);
    if (!client.ok()) return client.status();
    Form form = {{"grant_type", "client_credentials"}};
    if (!scope.empty()) form["scope"] = scope;
    return Exchange(web, *issuer, *client, std::move(form), scope);
  }
  const absl::StatusOr<Consent> consent = MakePage(web, *issuer, scope);
  return consent.ok() ? AskForConsent(*consent, web, caller) : consent.status();
}

absl::StatusOr<Issuer> Tokens::Find(const Web& web, const Challenge& challenge) {
  absl::StatusOr<Issuer> issuer = FindIssuer(web, url_, challenge);
  if (!issuer.ok()) return issuer.status();
  const std::lock_guard lock(mutex_);
  // Neither a client nor a token of one authorization server is shown to another.
  if (StringOf(kept_, "issuer") != issuer->issuer) kept_ = {{"issuer", issuer->issuer}};
  return issuer;
}

absl::StatusOr<std::string> Tokens::BeginConsent(const Caller& caller) {
  const std::lock_guard one(renewing_);
  const Web web(url_, caller);
  const absl::StatusOr<Issuer> issuer = Find(web, {});
  if (!issuer.ok()) return issuer.status();
  absl::StatusOr<Consent> consent = MakePage(web, *issuer, ScopeFor(*issuer, {}));
  if (!consent.ok()) return consent.status();
  consent_ = *std::move(consent);
  return consent_->page;
}

absl::Status Tokens::FinishConsent(const std::string& address, const Caller& caller) {
  const std::lock_guard one(renewing_);
  if (!consent_) return absl::FailedPreconditionError("no page was given out; begin again");
  absl::Status done = Finish(*consent_, address, Web(url_, caller));
  if (done.ok()) consent_.reset();
  return done;
}

// What the server asks for now, besides what it has asked for before; else what it takes at all.
std::string Tokens::ScopeFor(const Issuer& issuer, const Challenge& challenge) const {
  std::string wanted = config_.scope;
  if (wanted.empty()) wanted = challenge.scope;
  if (wanted.empty()) wanted = Joined(issuer.scopes);
  std::istringstream words(wanted);
  std::vector<std::string> scopes;
  for (std::string scope; words >> scope;) scopes.push_back(scope);
  if (challenge.error == "insufficient_scope") {
    const std::lock_guard lock(mutex_);
    std::istringstream before(StringOf(kept_, "scope"));
    for (std::string scope; before >> scope;) {
      if (!Has(scopes, scope)) scopes.push_back(scope);
    }
  }
  const bool consents = config_.grant == OAuthConfig::Grant::kConsent;
  if (consents && Has(issuer.server_scopes, kOffline) && !Has(scopes, kOffline)) {
    scopes.emplace_back(kOffline);
  }
  return Joined(scopes);
}

absl::StatusOr<Tokens::Client> Tokens::ClientFor(const Web& web, const Issuer& issuer) {
  if (!config_.client_id.empty()) {
    return Client{config_.client_id, config_.client_secret,
                  AuthMethod(issuer, !config_.client_secret.empty())};
  }
  if (config_.grant == OAuthConfig::Grant::kClientCredentials) {
    return absl::FailedPreconditionError("oauth: client credentials need a 'client_id'");
  }
  if (!config_.client_metadata_url.empty() && issuer.takes_metadata_documents) {
    return Client{config_.client_metadata_url, "", "none"};
  }
  {
    const std::lock_guard lock(mutex_);
    const Json& known = MemberOf(kept_, "client");
    if (known.is_object()) {
      return Client{StringOf(known, "id"), StringOf(known, "secret"),
                    StringOf(known, "auth_method")};
    }
  }
  absl::StatusOr<Client> client = Register(web, issuer);
  if (!client.ok()) return client.status();
  const std::lock_guard lock(mutex_);
  kept_["client"] = {
      {"id", client->id}, {"secret", client->secret}, {"auth_method", client->auth_method}};
  Save(kept_);
  return client;
}

// RFC 7591.
absl::StatusOr<Tokens::Client> Tokens::Register(const Web& web, const Issuer& issuer) const {
  if (issuer.registration_endpoint.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("'{}' registers no clients by itself: register one there and put its id into "
                    "`oauth.client_id` of the server",
                    issuer.issuer));
  }
  const bool open = issuer.auth_methods.empty() || Has(issuer.auth_methods, "none");
  const std::string method = AuthMethod(issuer, !open);
  const Json wish = {{"client_name", "talon"},
                     {"application_type", "native"},
                     {"redirect_uris", {config_.redirect_uri}},
                     {"grant_types", {"authorization_code", "refresh_token"}},
                     {"response_types", {"code"}},
                     {"token_endpoint_auth_method", method}};
  const absl::StatusOr<WebAnswer> answer = web.PostJson(issuer.registration_endpoint, wish);
  if (!answer.ok()) return answer.status();
  Client client{StringOf(answer->body, "client_id"), StringOf(answer->body, "client_secret"),
                StringOf(answer->body, "token_endpoint_auth_method")};
  if (answer->status / 100 != 2 || client.id.empty()) {
    return Refused("registration as a client", *answer);
  }
  if (client.auth_method.empty()) client.auth_method = method;
  return client;
}

absl::Status Tokens::Refresh(const Web& web, const Issuer& issuer) {
  std::string refresh;
  {
    const std::lock_guard lock(mutex_);
    refresh = StringOf(kept_, "refresh_token");
  }
  if (refresh.empty()) return absl::NotFoundError("there is no refresh token");
  const absl::StatusOr<Client> client = ClientFor(web, issuer);
  if (!client.ok()) return client.status();
  return Exchange(web, issuer, *client,
                  {{"grant_type", "refresh_token"}, {"refresh_token", refresh}}, "");
}

absl::StatusOr<Tokens::Consent> Tokens::MakePage(const Web& web, const Issuer& issuer,
                                                 const std::string& scope) {
  if (!issuer.s256) {
    return absl::FailedPreconditionError(fmt::format(
        "'{}' does not offer PKCE with S256; its consent would not be safe", issuer.issuer));
  }
  if (!IsSafePage(issuer.authorization_endpoint)) {
    return absl::PermissionDeniedError(
        "the page to sign in at is neither https nor on this machine");
  }
  const absl::StatusOr<Client> client = ClientFor(web, issuer);
  if (!client.ok()) return client.status();
  Consent consent{"", issuer, *client, Unguessable(), Unguessable(), scope};
  if (consent.state.empty() || consent.verifier.empty()) {
    return absl::InternalError("there are no random numbers");
  }
  Form parameters = {{"response_type", "code"},
                     {"client_id", client->id},
                     {"redirect_uri", config_.redirect_uri},
                     {"state", consent.state},
                     {"code_challenge", Sha256(consent.verifier)},
                     {"code_challenge_method", "S256"},
                     {"resource", issuer.resource}};
  if (!scope.empty()) parameters["scope"] = scope;
  consent.page = Query(issuer.authorization_endpoint, parameters);
  return consent;
}

absl::Status Tokens::AskForConsent(const Consent& consent, const Web& web, Caller& caller) {
  const Answer opened = caller.Ask(
      {.text = fmt::format(
           "The MCP server '{}' wants you to sign in at {}. Allow the access there; the browser "
           "then goes to an address that begins with {} and shows no page. You are asked for that "
           "address next.",
           server_, OriginOf(consent.page), config_.redirect_uri),
       .schema_json = "",
       .url = consent.page});
  if (opened.action != Answer::Action::kAccept) {
    return absl::UnauthenticatedError(
        fmt::format("a person has to sign in: `talon plugins run mcp sign_in server={}`", server_));
  }
  const Answer pasted = caller.Ask(
      {.text = fmt::format("The address at which the browser ended (it begins with {}):",
                           config_.redirect_uri),
       .schema_json =
           R"({"type":"object","properties":{"address":{"type":"string","title":"Address",)"
           R"("minLength":1}},"required":["address"]})",
       .url = ""});
  const auto content = ParseJson(pasted.content_json);
  if (pasted.action != Answer::Action::kAccept || !content.ok()) {
    return absl::UnauthenticatedError("the person did not finish signing in");
  }
  return Finish(consent, StringOf(*content, "address"), web);
}

// Only an answer to this page counts, and only one of the server that was asked (RFC 9207).
absl::Status Tokens::Finish(const Consent& consent, const std::string& address, const Web& web) {
  const auto parameters = QueryOf(address);
  const auto value = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? "" : found->second;
  };
  if (value("state") != consent.state) {
    return absl::UnauthenticatedError(
        "the address is not the answer to the last page to sign in at; begin again");
  }
  const Issuer& issuer = consent.issuer;
  const bool names = parameters.contains("iss");
  if ((issuer.tells_issuer && !names) || (names && value("iss") != issuer.issuer)) {
    return absl::UnauthenticatedError(
        fmt::format("the answer is not of '{}', which was asked", issuer.issuer));
  }
  if (const std::string error = value("error"); !error.empty()) {
    return absl::UnauthenticatedError(fmt::format("signing in was refused: {} {}", error,
                                                  value("error_description").substr(0, 300)));
  }
  if (value("code").empty()) return absl::UnauthenticatedError("the address has no code in it");
  return Exchange(web, issuer, consent.client,
                  {{"grant_type", "authorization_code"},
                   {"code", value("code")},
                   {"redirect_uri", config_.redirect_uri},
                   {"code_verifier", consent.verifier}},
                  consent.scope);
}

absl::Status Tokens::Exchange(const Web& web, const Issuer& issuer, const Client& client, Form form,
                              const std::string& scope) {
  form["resource"] = issuer.resource;
  std::string basic;
  if (client.auth_method == "client_secret_basic") {
    basic = fmt::format("{}:{}", UrlEncode(client.id), UrlEncode(client.secret));
  } else {
    form["client_id"] = client.id;
    if (client.auth_method == "client_secret_post") form["client_secret"] = client.secret;
  }
  const absl::StatusOr<WebAnswer> answer = web.PostForm(issuer.token_endpoint, form, basic);
  if (!answer.ok()) return answer.status();
  const std::string token = StringOf(answer->body, "access_token");
  const bool fits = token.find_first_of("\r\n ") == std::string::npos;
  if (answer->status / 100 != 2 || token.empty() || !fits) {
    return Refused(fmt::format("a token by {}", form["grant_type"]), *answer);
  }
  const std::lock_guard lock(mutex_);
  kept_["access_token"] = token;
  if (const std::string refresh = StringOf(answer->body, "refresh_token"); !refresh.empty()) {
    kept_["refresh_token"] = refresh;
  }
  const std::string granted = StringOf(answer->body, "scope");
  if (!granted.empty() || !scope.empty()) kept_["scope"] = granted.empty() ? scope : granted;
  Save(kept_);
  return absl::OkStatus();
}

void Tokens::Load() {
  if (file_.empty()) return;
  std::ifstream file(file_, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()) || text.view().size() > kMaxKept) return;
  if (auto kept = ParseJson(text.view());
      kept.ok() && kept->is_object() && StringOf(*kept, "url") == url_) {
    kept_ = *std::move(kept);
  }
}

void Tokens::Save(const Json& kept) const {
  if (file_.empty()) return;
  Json out = kept;
  out["url"] = url_;
  const std::string text = Dump(out), next = file_ + ".new";
  unlink(next.c_str());
  const sdk::Fd fd(open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool written =
      fd.get() >= 0 &&
      write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(fd.get()) == 0 && std::rename(next.c_str(), file_.c_str()) == 0;
  if (!written) {
    sdk::Log(sdk::LogLevel::kWarn,
             fmt::format("server '{}': its tokens are not kept in '{}'", server_, file_));
  }
}

}  // namespace talon::plugins::mcp
