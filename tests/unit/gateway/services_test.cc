// SPDX-License-Identifier: Apache-2.0
// What plugins do for the gateway: who may call, whose values they are, what a page may carry.
#include "talon/v1/auth.pb.h"
#include "talon/v1/http.pb.h"
#include "talon/v1/notify.pb.h"
#include "talon/v1/storage.pb.h"
#include "tests/unit/gateway/gateway_rig.h"

namespace talon::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

template <class Message>
Message Read(const std::string& bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  return message;
}

class ServicesTest : public GatewayTest {
 protected:
  // Tokens are "<user>/<scope>"; "…/cached" may be remembered.
  void ServeWithAuth() {
    extension_options.auth_plugin = "auth";
    plugins.answer = [](std::string_view method,
                        const std::string& bytes) -> absl::StatusOr<std::string> {
      EXPECT_EQ(method, "/talon.v1.AuthProvider/Authenticate");
      const auto request = Read<v1::AuthenticateRequest>(bytes);
      const std::string& token = request.credential();
      if (token == "down") return Unavailable("plugin 'auth': Authenticate: it has crashed");
      v1::AuthenticateResponse response;
      const std::size_t slash = token.find('/');
      response.set_accepted(slash != std::string::npos);
      if (!response.accepted()) return response.SerializeAsString();
      response.set_user(token.substr(0, slash));
      const std::string scope = token.substr(slash + 1);
      if (scope == "cached") response.set_ttl_ms(3'600'000);
      response.add_scopes(scope == "cached" ? "chat" : scope);
      return response.SerializeAsString();
    };
    Serve();
  }
  io::HttpResponse As(const std::string& token, const std::string& method, const std::string& path,
                      std::string body = "") {
    io::HttpRequest request = Request(method, path, std::move(body));
    request.headers.Set("Authorization", "Bearer " + token);
    return Fetch(std::move(request));
  }
  static std::string Ask(const std::string& session) {
    return R"({"message":"hi","stream":false,"session":")" + session + "\"}";
  }
};

TEST_F(ServicesTest, UsersNeitherSeeNorTouchEachOthersSessionsAndTurns) {
  ServeWithAuth();
  model.Say("to ada");
  model.Say("to bob");
  const Json ada = Parsed(As("ada/chat", "POST", "/v1/turns", Ask("main")));
  const Json bob = Parsed(As("bob/chat", "POST", "/v1/turns", Ask("main")));
  EXPECT_EQ(ada["text"], "to ada");
  EXPECT_EQ(bob["text"], "to bob");
  EXPECT_NE(ada["session"], bob["session"]) << "one key, two people";
  const std::string session = "/v1/sessions/" + ada["session"].get<std::string>();
  const std::string turn = "/v1/turns/" + ada["turn"].get<std::string>();
  for (const std::string& path : {session, session + "/messages", turn}) {
    EXPECT_EQ(As("ada/chat", "GET", path).status, 200) << path;
    EXPECT_EQ(As("bob/chat", "GET", path).status, 404) << path;
    EXPECT_EQ(As("bob/admin", "GET", path).status, 404) << path;
    EXPECT_EQ(Get(path).status, 404) << "the owner's token: " << path;
  }
  EXPECT_EQ(As("bob/chat", "POST", turn + "/cancel").status, 404);
  EXPECT_EQ(As("bob/chat", "POST", session, R"({"title":"mine"})").status, 404);
  EXPECT_EQ(As("bob/chat", "DELETE", session).status, 404);
  EXPECT_THAT(Parsed(As("bob/chat", "GET", "/v1/sessions"))["sessions"], SizeIs(1));
  EXPECT_THAT(Parsed(Get("/v1/sessions"))["sessions"], SizeIs(0));
  // Another's id as a key names a session of one's own.
  model.Say("to bob again");
  const Json again =
      Parsed(As("bob/chat", "POST", "/v1/turns", Ask(ada["session"].get<std::string>())));
  EXPECT_NE(again["session"], ada["session"]);
  EXPECT_THAT(Parsed(As("ada/chat", "GET", session + "/messages"))["messages"], SizeIs(2));
  EXPECT_EQ(As("ada/chat", "DELETE", session).status, 200);
}

TEST_F(ServicesTest, ScopesDecideWhatATokenMayDo) {
  ServeWithAuth();
  EXPECT_EQ(As("ada/read", "GET", "/v1/sessions").status, 200);
  const auto refused = As("ada/read", "POST", "/v1/turns", Ask("main"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("needs the scope 'chat'; this token has 'read'"));
  EXPECT_EQ(As("ada/read", "POST", "/v1/chat/completions", Chat("hi")).status, 403);
  EXPECT_EQ(As("ada/chat", "GET", "/v1/plugins").status, 403);
  EXPECT_EQ(As("ada/admin", "GET", "/v1/plugins").status, 200);
  EXPECT_EQ(Get("/v1/plugins").status, 200);
}

TEST_F(ServicesTest, RefusalsFailuresAndImpossibleAnswersLetNobodyIn) {
  ServeWithAuth();
  EXPECT_EQ(As("nobody", "GET", "/v1/models").status, 401);
  const auto down = As("down", "GET", "/v1/models");
  EXPECT_EQ(down.status, 503);
  EXPECT_THAT(down.body, HasSubstr("the authentication plugin 'auth' cannot answer now"));
  EXPECT_EQ(As("/chat", "GET", "/v1/models").status, 401) << "nobody's name";
  EXPECT_EQ(As("a\tb/chat", "GET", "/v1/models").status, 401) << "a name that could be a key";
  EXPECT_EQ(As("ada/root", "GET", "/v1/models").status, 401) << "an unknown scope";
  EXPECT_EQ(As("owner/chat", "GET", "/v1/models").status, 401) << "the owner's name";
  EXPECT_EQ(As("owner/admin", "GET", "/v1/models").status, 200);
}

TEST_F(ServicesTest, AnswersAreRememberedAsLongAsAllowedAndNoLonger) {
  ServeWithAuth();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(As("ada/cached", "GET", "/v1/models").status, 200);
  EXPECT_EQ(plugins.calls, 1);
  clock.shift = std::chrono::minutes(6);  // the daemon's limit, not the plugin's hour
  EXPECT_EQ(As("ada/cached", "GET", "/v1/models").status, 200);
  EXPECT_EQ(plugins.calls, 2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(As("ada/chat", "GET", "/v1/models").status, 200);
  EXPECT_EQ(plugins.calls, 4);
}

TEST_F(ServicesTest, ValuesBelongToWhoAsks) {
  extension_options.storage.plugin = "kv";
  plugins.manifest.emplace().storage = plugin::Manifest::Storage{.max_value_bytes = 8};
  std::map<std::string, std::string> kept;
  plugins.answer = [&](std::string_view method,
                       const std::string& bytes) -> absl::StatusOr<std::string> {
    if (method.ends_with("Put")) {
      const auto put = Read<v1::PutRequest>(bytes);
      kept[put.namespace_() + "|" + put.key()] = put.value();
      v1::PutResponse response;
      response.set_version("7");
      return response.SerializeAsString();
    }
    const auto get = Read<v1::GetRequest>(bytes);
    const auto found = kept.find(get.namespace_() + "|" + get.key());
    if (found == kept.end()) return NotFound("plugin 'kv': Get: no such key");
    v1::GetResponse response;
    response.set_value(found->second);
    response.set_version("7");
    return response.SerializeAsString();
  };
  Serve();
  EXPECT_EQ(Parsed(Fetch(Request("PUT", "/v1/kv/a%2Fb", "one")))["version"], "7");
  EXPECT_EQ(kept, (std::map<std::string, std::string>{{"default/owner/main|a/b", "one"}}));
  const auto got = Get("/v1/kv/a%2Fb");
  EXPECT_EQ(got.body, "one");
  EXPECT_EQ(got.headers.Get("ETag"), "\"7\"");
  EXPECT_EQ(Get("/v1/kv/none").status, 404);
  EXPECT_EQ(Fetch(Request("PUT", "/v1/kv/a", "too long for it")).status, 400);
  EXPECT_EQ(Fetch(Request("PUT", "/v1/kv/a?if_version=1", "x")).status, 501);
  EXPECT_EQ(Fetch(Request("PUT", "/v1/kv/a?ttl_ms=nine", "x")).status, 400);
  EXPECT_EQ(Get("/v1/kv/" + std::string(513, 'k')).status, 400);
}

TEST_F(ServicesTest, NotificationsAreTriedAgainUnderTheSameId) {
  extension_options.notifications.plugin = "note";
  plugins.manifest.emplace().notify = plugin::Manifest::Notify{.max_text_bytes = 4};
  std::vector<v1::NotifyRequest> seen;
  plugins.answer = [&](std::string_view, const std::string& bytes) -> absl::StatusOr<std::string> {
    seen.push_back(Read<v1::NotifyRequest>(bytes));
    if (seen.size() == 1) return Unavailable("busy");
    return v1::NotifyResponse().SerializeAsString();
  };
  Serve();
  const auto sent = Post("/v1/notifications", R"({"text":"disk full","level":"urgent"})");
  EXPECT_EQ(sent.status, 200) << sent.body;
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_EQ(seen[0].SerializeAsString(), seen[1].SerializeAsString());
  EXPECT_EQ(seen[0].text(), "disk");
  EXPECT_EQ(seen[0].level(), v1::NOTIFY_LEVEL_URGENT);
  EXPECT_EQ(Parsed(sent)["id"], seen[0].id());
  EXPECT_EQ(Post("/v1/notifications", R"({"text":"x","level":"loud"})").status, 400);
  EXPECT_EQ(Post("/v1/notifications", R"({"text":" "})").status, 400);
  EXPECT_EQ(Post("/v1/notifications", R"({"text":"x","to":"bob"})").status, 400);
}

TEST_F(ServicesTest, WithoutAPluginTheServicesSaySo) {
  Serve();
  EXPECT_EQ(Get("/v1/kv/a").status, 501);
  EXPECT_THAT(Get("/v1/kv").body, HasSubstr("name a plugin with `storage.plugin`"));
  EXPECT_THAT(Post("/v1/notifications", R"({"text":"x"})").body, HasSubstr("notifications.plugin"));
}

class EndpointTest : public ServicesTest {
 protected:
  EndpointTest() {
    plugins.manifest.emplace().http = {
        {.method = "GET", .path = "/open", .is_public = true, .description = ""},
        {.method = "GET", .path = "/", .is_public = false, .description = ""},
        {.method = "POST", .path = "/form", .is_public = false, .description = ""}};
    plugins.answer = [this](std::string_view, const std::string& bytes) {
      asked = Read<v1::HttpRequest>(bytes);
      return reply.SerializeAsString();
    };
    reply.set_status(200);
    reply.set_body("page");
  }
  void Answers(const std::string& name, const std::string& value) {
    v1::HttpHeader& header = *reply.add_headers();
    header.set_name(name);
    header.set_value(value);
  }
  io::HttpResponse Bare(const std::string& path) {
    io::HttpRequest request = Request("GET", path);
    request.headers.Set("Authorization", "");
    return Fetch(std::move(request));
  }
  v1::HttpRequest asked;
  v1::HttpResponse reply;
};

TEST_F(EndpointTest, TheTokenIsNeededUnlessTheRouteIsPublic) {
  Serve();
  EXPECT_EQ(Bare("/plugins/p/open").status, 200);
  EXPECT_EQ(asked.actor().user(), "");
  EXPECT_EQ(Bare("/plugins/p/other").status, 401);
  EXPECT_EQ(Bare("/plugins/none").status, 401) << "nothing is said of what there is";
  EXPECT_EQ(Get("/plugins/p/other?a=b%20c").status, 200);
  EXPECT_EQ(asked.path(), "/other");
  EXPECT_EQ(asked.query(), "a=b%20c");
  EXPECT_EQ(asked.actor().user(), "owner");
  const auto wrong = Fetch(Request("POST", "/plugins/p/open", "x"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(std::string(wrong.headers.Get("Allow")), HasSubstr("GET"));
  for (const char* path : {"/plugins/p", "/plugins/", "/plugins/p/a/%2e%2e/b", "/plugins/p//open",
                           "/plugins/p/a%5cb", "/plugins/p/a%ff", "/plugins/p/a%00"}) {
    EXPECT_NE(Get(path).status, 200) << path;
  }
}

TEST_F(EndpointTest, HeadersAreCleanBothWays) {
  Serve();
  io::HttpRequest request = Request("POST", "/plugins/p/form", std::string("\xff\x00z", 3));
  request.headers.Set("Cookie", "a=b");
  request.headers.Set("X-Talon-Session", "main");
  request.headers.Set("X-Custom", "yes");
  Answers("content-type", "text/html");
  Answers("Set-Cookie", "evil=1");
  Answers("Access-Control-Allow-Origin", "*");
  Answers("Content-Security-Policy", "default-src *");
  Answers("Transfer-Encoding", "chunked");
  Answers("X-Custom", "too");
  const auto response = Fetch(std::move(request));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(asked.body(), std::string("\xff\x00z", 3));
  std::set<std::string> names;
  for (const auto& header : asked.headers()) names.insert(header.name());
  EXPECT_TRUE(names.contains("x-custom"));
  for (const char* kept : {"authorization", "cookie", "host", "x-talon-session", "connection"}) {
    EXPECT_FALSE(names.contains(kept)) << kept;
  }
  EXPECT_EQ(response.headers.Get("X-Custom"), "too");
  EXPECT_EQ(response.headers.Get("Content-Type"), "text/html");
  EXPECT_FALSE(response.headers.Has("Set-Cookie"));
  EXPECT_FALSE(response.headers.Has("Access-Control-Allow-Origin"));
  EXPECT_EQ(response.headers.Get("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(std::string(response.headers.Get("Content-Security-Policy")),
              HasSubstr("default-src 'none'"));
}

TEST_F(EndpointTest, AnswersThatCannotBeAreErrors) {
  Serve();
  reply.set_status(101);
  EXPECT_EQ(Get("/plugins/p/x").status, 502);
  reply.set_status(200);
  Answers("bad name", "x");
  EXPECT_EQ(Get("/plugins/p/x").status, 502);
  reply.clear_headers();
  Answers("x", "a\r\nSet-Cookie: b=c");
  EXPECT_EQ(Get("/plugins/p/x").status, 502);
  reply.clear_headers();
  reply.set_status(404);
  EXPECT_EQ(Get("/plugins/p/x").status, 404);
  plugins.answer = [](std::string_view, const std::string&) -> absl::StatusOr<std::string> {
    return Unavailable("plugin 'p': Handle: it has crashed");
  };
  EXPECT_EQ(Get("/plugins/p/x").status, 503);
}

}  // namespace
}  // namespace talon::gateway
