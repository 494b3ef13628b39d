// SPDX-License-Identifier: Apache-2.0
// The environment's proxies, against a listener that notes what it is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "tests/unit/io/fake_http_server.h"

namespace talon::io {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kVariables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                      "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

FakeHttpServer::Handler Saying(std::string who) {
  return [who = std::move(who)](FakeHttpServer::Connection& connection) {
    const std::string request = connection.ReadRequest();
    if (!request.empty()) connection.Send(OkAnswer(who + ": " + request));
  };
}

class HttpProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    ClearEnvironment();
    ::setenv("http_proxy", proxy_.Url("").c_str(), 1);
    ::setenv("https_proxy", proxy_.Url("").c_str(), 1);
  }
  void TearDown() override { ClearEnvironment(); }
  static void ClearEnvironment() {
    for (const char* name : kVariables) ::unsetenv(name);
  }
  absl::StatusOr<HttpResponse> Get(const std::string& url, HttpClientOptions options = {}) {
    const auto client = MakeCurlClient(loop_, std::move(options));
    HttpRequest request;
    request.url = url;
    return loop_.RunUntilDone(client->Fetch(std::move(request), {}));
  }

  FakeHttpServer proxy_{Saying("proxy")};
  FakeHttpServer server_{Saying("server")};
  Loop loop_;
};

TEST_F(HttpProxyTest, AnotherHostIsAskedThroughTheProxy) {
  const auto response = Get("http://example.invalid/path?q=1");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->body, StartsWith("proxy: GET http://example.invalid/path?q=1 HTTP/1.1"));
}

TEST_F(HttpProxyTest, TlsGoesThroughATunnel) {
  std::string asked;
  FakeHttpServer refusing([&asked](FakeHttpServer::Connection& connection) {
    asked = connection.ReadRequest();
    connection.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  ::setenv("https_proxy", refusing.Url("").c_str(), 1);
  const auto response = Get("https://example.invalid/secret-path");
  EXPECT_EQ(ReasonOf(response.status()), ErrorReason::kTransport) << response.status();
  EXPECT_THAT(asked, StartsWith("CONNECT example.invalid:443 HTTP/1.1"));
  EXPECT_THAT(asked, Not(HasSubstr("secret-path")));
}

TEST_F(HttpProxyTest, LoopbackNeverGoesThroughAProxy) {
  const std::string url = server_.Url("/x");
  const std::string port = url.substr(url.rfind(':'));  // and the path
  for (const char* no_proxy : {"", "elsewhere.example"}) {
    ::setenv("no_proxy", no_proxy, 1);
    for (const char* host : {"127.0.0.1", "127.1", "localhost", "LOCALHOST"}) {
      const auto response = Get("http://" + std::string(host) + port);
      ASSERT_TRUE(response.ok()) << host << ": " << response.status();
      EXPECT_THAT(response->body, StartsWith("server: GET /x HTTP/1.1")) << host;
    }
    // Nobody listens at these; the proxy would have answered.
    for (const char* host : {"127.250.0.9", "[::1]"}) {
      EXPECT_FALSE(Get("http://" + std::string(host) + port).ok()) << host;
    }
  }
  EXPECT_EQ(proxy_.connections(), 0);
}

TEST_F(HttpProxyTest, WhatTheEnvironmentExemptsStaysExempt) {
  for (const char* variable : {"no_proxy", "NO_PROXY"}) {
    ::setenv(variable, "example.invalid", 1);
    EXPECT_FALSE(Get("http://example.invalid/").ok()) << variable;
    EXPECT_TRUE(Get("http://other.invalid/").ok()) << variable;
    ::unsetenv(variable);
  }
  ::setenv("no_proxy", "*", 1);
  EXPECT_FALSE(Get("http://other.invalid/").ok());
  EXPECT_EQ(proxy_.connections(), 2);
}

TEST_F(HttpProxyTest, AClientThatUsesNoProxyAsksNone) {
  EXPECT_FALSE(Get("http://example.invalid/", {.use_proxy = false}).ok());
  EXPECT_EQ(proxy_.connections(), 0);
}

// A redirect out of the machine takes the proxy, one into it does not.
TEST_F(HttpProxyTest, EachHopOfARedirectIsJudged) {
  const auto moving_to = [](std::string target) {
    return [target = std::move(target)](FakeHttpServer::Connection& connection) {
      if (connection.ReadRequest().empty()) return;
      connection.Send("HTTP/1.1 302 Found\r\nLocation: " + target +
                      "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
  };
  const auto follow = [this](const std::string& url) {
    const auto client = MakeCurlClient(loop_, {});
    HttpRequest request;
    request.url = url;
    request.follow_redirects = true;
    const auto response = loop_.RunUntilDone(client->Fetch(std::move(request), {}));
    return response.ok() ? response->body : StatusText(response.status());
  };
  FakeHttpServer out(moving_to("http://example.invalid/out"));
  EXPECT_THAT(follow(out.Url("/")), StartsWith("proxy: GET http://example.invalid/out"));
  FakeHttpServer into(moving_to(server_.Url("/in")));
  ::setenv("http_proxy", into.Url("").c_str(), 1);
  EXPECT_THAT(follow("http://example.invalid/"), StartsWith("server: GET /in HTTP/1.1"));
}

}  // namespace
}  // namespace talon::io
