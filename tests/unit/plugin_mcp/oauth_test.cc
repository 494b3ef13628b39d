// SPDX-License-Identifier: Apache-2.0
// Tokens against a server that is its own authorization server and as honest as a test wants it.
// The whole of the protocol is tested by the conformance suite (tests/mcp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "mcp/oauth.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/plugins_bundled/fake_http_server.h"

namespace talon::plugins::mcp {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// The server's thread is done with a request before its answer is here: its members are read then.
class OAuthTest : public testing::Test {
 protected:
  OAuthTest()
      : server([this](const std::string& request) { return Answer(request); }),
        site("http://" + server.host()),
        file(folder / "s.oauth.json") {}

  std::string Answer(const std::string& request) {
    const auto ok = [](const Json& body) {
      return test::FakeHttpServer::Ok("application/json", Dump(body));
    };
    if (request.starts_with("GET /.well-known/oauth-protected-resource/mcp ")) {
      return ok({{"resource", resource.empty() ? site + "/mcp" : resource},
                 {"authorization_servers", {issuer.empty() ? site : issuer}}});
    }
    if (request.starts_with("GET /.well-known/oauth-authorization-server")) {
      return ok({{"issuer", site},
                 {"authorization_endpoint", site + "/authorize"},
                 {"token_endpoint", site + "/token"},
                 {"registration_endpoint", site + "/register"},
                 {"code_challenge_methods_supported", pkce}});
    }
    if (request.starts_with("POST /register ")) {
      ++registrations;
      return ok({{"client_id", "made-up"}});
    }
    if (request.starts_with("POST /token ")) {
      asked_for_token = request;
      if (refuse)
        return "HTTP/1.1 400 Bad\r\nContent-Length: 25\r\n\r\n{\"error\":\"invalid_grant\"}\n";
      return ok({{"access_token", "token-" + std::to_string(++tokens)},
                 {"token_type", "Bearer"},
                 {"refresh_token", "again"}});
    }
    return "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
  }

  Tokens Make(OAuthConfig config) { return {"s", site + "/mcp", std::move(config), file}; }
  static OAuthConfig Consent() { return {.grant = OAuthConfig::Grant::kConsent}; }
  static OAuthConfig Credentials() {
    return {.grant = OAuthConfig::Grant::kClientCredentials,
            .client_id = "me",
            .client_secret = "s3cret"};
  }
  // The address a browser would end at.
  static std::string AddressOf(const std::string& page) {
    const std::size_t state = page.find("state=");
    return "http://127.0.0.1:33418/callback?code=c0de&" +
           page.substr(state, page.find('&', state) - state);
  }

  std::string resource, issuer, asked_for_token;
  Json pkce = {"S256"};
  bool refuse = false;
  int tokens = 0, registrations = 0;
  test::TempFolder folder;
  test::FakeHttpServer server;
  const std::string site, file;
  Caller nobody;
};

TEST_F(OAuthTest, ClientCredentialsGetATokenForThisServerAlone) {
  Tokens mine = Make(Credentials());
  EXPECT_EQ(mine.bearer(), "");
  ASSERT_TRUE(mine.Renew("", "", nobody).ok());
  EXPECT_EQ(mine.bearer(), "token-1");
  EXPECT_THAT(asked_for_token,
              AllOf(HasSubstr("grant_type=client_credentials"),
                    HasSubstr("resource=" + UrlEncode(site + "/mcp")),
                    HasSubstr("Authorization: Basic bWU6czNjcmV0"), Not(HasSubstr("s3cret"))));
}

TEST_F(OAuthTest, ATokenThatSomebodyElseRenewedIsTaken) {
  Tokens mine = Make(Credentials());
  ASSERT_TRUE(mine.Renew("", "", nobody).ok());
  ASSERT_TRUE(mine.Renew("", "", nobody).ok());
  EXPECT_EQ(tokens, 1);
}

TEST_F(OAuthTest, ConsentIsTakenOnceAndRefreshedWithoutThePerson) {
  {
    Tokens mine = Make(Consent());
    const auto page = mine.BeginConsent(nobody);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(*page, AllOf(StartsWith(site + "/authorize?"), HasSubstr("client_id=made-up"),
                             HasSubstr("code_challenge_method=S256")));
    EXPECT_FALSE(mine.FinishConsent(AddressOf(*page) + "x", nobody).ok());
    // Whoever cannot be asked does not spoil the page that was given out.
    EXPECT_FALSE(mine.Renew("", "", nobody).ok());
    ASSERT_TRUE(mine.FinishConsent(AddressOf(*page), nobody).ok());
    EXPECT_THAT(asked_for_token, AllOf(HasSubstr("code=c0de"), HasSubstr("code_verifier=")));
    EXPECT_FALSE(mine.FinishConsent(AddressOf(*page), nobody).ok()) << "the same answer twice";
  }
  struct stat kept = {};
  ASSERT_EQ(stat(file.c_str(), &kept), 0);
  EXPECT_EQ(kept.st_mode & 0777U, 0600U);
  Tokens later = Make(Consent());
  EXPECT_EQ(later.bearer(), "token-1");
  ASSERT_TRUE(later.Renew("token-1", "", nobody).ok());
  EXPECT_EQ(later.bearer(), "token-2");
  EXPECT_THAT(asked_for_token, HasSubstr("refresh_token=again"));
  EXPECT_EQ(registrations, 1);
}

TEST_F(OAuthTest, WithoutAPersonTheWayToSignInIsTold) {
  Tokens mine = Make(Consent());
  const absl::Status status = mine.Renew("", "", nobody);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mcp sign_in server=s"));
}

TEST_F(OAuthTest, AnotherServersResourceOrIssuerIsRefused) {
  resource = "https://bank.example/api";
  EXPECT_THAT(std::string(Make(Credentials()).Renew("", "", nobody).message()),
              HasSubstr("bank.example"));
  resource = "";
  issuer = site + "/tenant";
  EXPECT_THAT(std::string(Make(Credentials()).Renew("", "", nobody).message()),
              HasSubstr("calls itself"));
  issuer = "";
  const absl::Status elsewhere =
      Make(Credentials()).Renew("", R"(Bearer resource_metadata="https://bank.example/m")", nobody);
  EXPECT_THAT(std::string(elsewhere.message()), HasSubstr("another site"));
  EXPECT_EQ(tokens, 0);
}

TEST_F(OAuthTest, WithoutPkceNobodySignsIn) {
  pkce = Json::array({"plain"});
  EXPECT_THAT(std::string(Make(Consent()).BeginConsent(nobody).status().message()),
              HasSubstr("PKCE"));
}

TEST_F(OAuthTest, TokensOfAnotherAuthorizationServerAreForgotten) {
  std::ofstream(file) << Dump({{"url", site + "/mcp"},
                               {"issuer", "https://old.example"},
                               {"access_token", "old"},
                               {"refresh_token", "old-refresh"}});
  Tokens mine = Make(Credentials());
  EXPECT_EQ(mine.bearer(), "old");
  ASSERT_TRUE(mine.Renew("old", "", nobody).ok());
  EXPECT_THAT(asked_for_token, Not(HasSubstr("old-refresh")));
  std::ostringstream kept;
  kept << std::ifstream(file).rdbuf();
  EXPECT_THAT(kept.str(), Not(HasSubstr("old")));
}

TEST_F(OAuthTest, ARefusalSaysWhy) {
  refuse = true;
  EXPECT_THAT(std::string(Make(Credentials()).Renew("", "", nobody).message()),
              AllOf(HasSubstr("invalid_grant"), Not(HasSubstr("s3cret"))));
}

// Its addresses come from the server: one that is elsewhere must not reach what listens here.
TEST_F(OAuthTest, ThisMachineIsAskedOnlyForAServerThatIsOnIt) {
  const auto here = Web(site + "/mcp", nobody).PostJson(site + "/register", Json::object());
  ASSERT_TRUE(here.ok()) << here.status();
  EXPECT_EQ(here->status, 200);
  for (const std::string& url : {site + "/register", std::string("https://localhost/register")}) {
    const auto there = Web("https://far.example/mcp", nobody).PostJson(url, Json::object());
    EXPECT_TRUE(absl::IsPermissionDenied(there.status())) << there.status();
  }
  EXPECT_EQ(registrations, 1);
}

TEST(Challenge, IsReadWithItsQuotes) {
  const Challenge said = ParseChallenge(
      R"(Basic realm="x", Bearer error="insufficient_scope", scope="a \"b\"", resource_metadata=https://x/y)");
  EXPECT_EQ(said.error, "insufficient_scope");
  EXPECT_EQ(said.scope, "a \"b\"");
  EXPECT_EQ(said.resource_metadata, "https://x/y");
  EXPECT_EQ(ParseChallenge("Bearer").scope, "");
  EXPECT_EQ(ParseChallenge("scope=\"open").scope, "open");
}

}  // namespace
}  // namespace talon::plugins::mcp
