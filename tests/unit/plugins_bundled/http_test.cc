// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>

#include "http/address.h"
#include "http/html_text.h"
#include "http/http_plugin.h"
#include "http/url.h"
#include "talon/sdk/testing.h"
#include "tests/unit/plugins_bundled/fake_http_server.h"

namespace talon::plugins {
namespace {

using nlohmann::json;
using test::FakeHttpServer;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<sdk::PluginHarness> Http(const json& config) {
  auto harness = std::make_unique<sdk::PluginHarness>(MakeHttpPlugin());
  const absl::Status status = harness->Configure(config.dump());
  EXPECT_TRUE(status.ok()) << status;
  return harness;
}

sdk::Result Get(sdk::PluginHarness& http, const std::string& url, json more = json::object(),
                const sdk::TestCall& call = {}) {
  more["url"] = url;
  return http.Execute("get", more.dump(), call).value();
}

std::string Echo(const std::string& request) {
  return FakeHttpServer::Ok("text/plain", request);
}

TEST(HttpTest, PrivateAddressesAreRefusedByDefault) {
  FakeHttpServer server(Echo);
  const auto http = Http(json::object());
  EXPECT_THAT(Get(*http, server.Url("/")).error, HasSubstr("127.0.0.1, a loopback address"));
  const std::string port = std::to_string(server.port());
  for (const std::string host : {"localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "[::1]",
                                 "[::ffff:127.0.0.1]", "[::]", "169.254.169.254", "10.0.0.1"}) {
    const std::string error = Get(*http, "http://" + host + ":" + port + "/").error;
    EXPECT_NE(error, "") << host;
    EXPECT_THAT(error, Not(HasSubstr("HTTP 200"))) << host;
  }
}

TEST(HttpTest, OnlyWebUrls) {
  const auto http = Http({{"allow_private", true}});
  EXPECT_THAT(Get(*http, "file:///etc/passwd").error, HasSubstr("only http and https"));
  EXPECT_THAT(Get(*http, "gopher://x/").error, HasSubstr("only http and https"));
  EXPECT_THAT(Get(*http, "http://u:p@x/").error, HasSubstr("passwords in a url"));
  EXPECT_THAT(Get(*http, "http://x/a b").error, HasSubstr("spaces or control"));
  EXPECT_THAT(Get(*http, "http://x/\r\nX: y").error, HasSubstr("spaces or control"));
  EXPECT_NE(Get(*http, "").error, "");
  EXPECT_NE(Get(*http, "example.com").error, "");
}

TEST(HttpTest, ConfigurationAllowsPrivateAddresses) {
  FakeHttpServer server(Echo);
  const auto any = Http({{"allow_private", true}});
  EXPECT_THAT(Get(*any, server.Url("/a#b")).content,
              testing::AllOf(HasSubstr("HTTP 200\n"), HasSubstr("content-type: text/plain\n"),
                             HasSubstr("GET /a HTTP/1.1")));
  const auto named = Http({{"allow_hosts", {server.host()}}});
  EXPECT_THAT(Get(*named, server.Url("/")).content, HasSubstr("HTTP 200"));
  const auto other = Http({{"allow_hosts", {"127.0.0.1:1"}}});
  EXPECT_THAT(Get(*other, server.Url("/")).error, HasSubstr("loopback"));
}

TEST(HttpTest, RedirectToAPrivateAddressIsRefused) {
  FakeHttpServer inner(Echo);
  FakeHttpServer outer([&](const std::string& request) {
    if (request.starts_with("GET /file"))
      return FakeHttpServer::Redirect(302, "file:///etc/passwd");
    return FakeHttpServer::Redirect(302, inner.Url("/"));
  });
  const auto http = Http({{"allow_hosts", {outer.host()}}});
  EXPECT_THAT(Get(*http, outer.Url("/")).error, HasSubstr("127.0.0.1, a loopback address"));
  EXPECT_THAT(Get(*http, outer.Url("/file")).error, HasSubstr("only http and https"));
}

TEST(HttpTest, RedirectsAreFollowedAndCounted) {
  FakeHttpServer other(Echo);
  FakeHttpServer server([&](const std::string& request) {
    if (request.starts_with("GET /loop")) return FakeHttpServer::Redirect(302, "/loop");
    if (request.starts_with("GET /to-other")) return FakeHttpServer::Redirect(302, other.Url("/x"));
    if (request.starts_with("POST /away")) return FakeHttpServer::Redirect(307, other.Url("/x"));
    if (request.starts_with("POST /see")) return FakeHttpServer::Redirect(303, "/seen");
    if (request.starts_with("POST /again")) return FakeHttpServer::Redirect(308, "/there");
    return Echo(request);
  });
  const auto http = Http({{"allow_private", true}});
  EXPECT_THAT(Get(*http, server.Url("/loop")).error, HasSubstr("more than 5 redirects"));

  const json secret = {{"headers", {{"X-Api-Key", "k1"}, {"Authorization", "k2"}}}};
  const std::string away = Get(*http, server.Url("/to-other"), secret).content;
  EXPECT_THAT(away, HasSubstr("HTTP 200 from " + other.Url("/x")));
  EXPECT_THAT(away, Not(HasSubstr("k1")));
  EXPECT_THAT(away, Not(HasSubstr("k2")));
  EXPECT_THAT(Get(*http, server.Url("/here"), secret).content, HasSubstr("k1"));

  const auto post = [&](const std::string& path) {
    return http
        ->Execute("request",
                  json{{"method", "post"}, {"url", server.Url(path)}, {"body", "b0dy"}}.dump())
        ->content;
  };
  EXPECT_THAT(post("/away"),
              testing::AllOf(HasSubstr("HTTP 307\n"), HasSubstr("location: " + other.Url("/x"))));
  EXPECT_THAT(post("/see"), testing::AllOf(HasSubstr("GET /seen"), Not(HasSubstr("b0dy"))));
  EXPECT_THAT(post("/again"), testing::AllOf(HasSubstr("POST /there"), HasSubstr("b0dy")));
}

TEST(HttpTest, SendsMethodsHeadersAndBodies) {
  FakeHttpServer server(Echo);
  const auto http = Http({{"allow_private", true}});
  const auto send = [&](json args) {
    args["url"] = server.Url("/p?q=1");
    return http->Execute("request", args.dump()).value();
  };
  const std::string put =
      send({{"method", "PUT"}, {"headers", {{"X-A", "1"}}}, {"body", "{\"a\":1}"}}).content;
  EXPECT_THAT(put, HasSubstr("PUT /p?q=1 HTTP/1.1"));
  EXPECT_THAT(put, HasSubstr("x-a: 1"));
  EXPECT_THAT(put, HasSubstr("content-type: application/json"));
  EXPECT_THAT(put, HasSubstr("\r\n\r\n{\"a\":1}"));
  EXPECT_THAT(send({{"method", "DELETE"}}).content, HasSubstr("DELETE /p?q=1"));
  const std::string empty = send({{"method", "POST"}}).content;
  EXPECT_THAT(empty, HasSubstr("Content-Length: 0"));
  EXPECT_THAT(empty, Not(HasSubstr("urlencoded")));
  EXPECT_THAT(send({{"method", "HEAD"}}).content, testing::StartsWith("HTTP 200"));
  EXPECT_THAT(send({{"method", "G T"}}).error, HasSubstr("method"));
  EXPECT_THAT(send({{"method", "GET"}, {"headers", {{"Host", "evil"}}}}).error,
              HasSubstr("header 'Host'"));
  EXPECT_THAT(send({{"method", "GET"}, {"headers", {{"A", "x\r\nB: y"}}}}).error,
              HasSubstr("header 'A'"));
}

TEST(HttpTest, BodyIsCutAtItsLimit) {
  FakeHttpServer server([](const std::string&) {
    return FakeHttpServer::Ok("text/plain", std::string(3'000'000, 'x'));
  });
  const auto http = Http({{"allow_private", true}, {"max_body_bytes", 1000}});
  const std::string text = Get(*http, server.Url("/")).content;
  EXPECT_THAT(text, HasSubstr("[body cut after 1000 bytes]"));
  EXPECT_LT(text.size(), 1200u);
}

TEST(HttpTest, SilenceEndsByTimeoutAndByCancellation) {
  const auto cancel = std::make_shared<sdk::CancelFlag>();
  std::atomic<bool> cancel_now = false;
  FakeHttpServer server([&](const std::string&) {
    if (cancel_now) cancel->Set();
    return std::string();
  });
  const auto http = Http({{"allow_private", true}, {"timeout_ms", 100}});
  EXPECT_THAT(Get(*http, server.Url("/")).error, HasSubstr("no answer within"));
  const auto patient = Http({{"allow_private", true}});
  cancel_now = true;
  EXPECT_THAT(Get(*patient, server.Url("/"), json::object(), {.cancel = cancel}).error,
              HasSubstr("cancelled"));
  EXPECT_THAT(
      Get(*patient, server.Url("/"), json::object(), {.deadline = std::chrono::milliseconds(100)})
          .error,
      HasSubstr("'"));
}

TEST(HttpTest, BodiesBecomeText) {
  std::string type, body;
  FakeHttpServer server([&](const std::string&) { return FakeHttpServer::Ok(type, body); });
  const auto http = Http({{"allow_private", true}});
  const auto fetch = [&](const char* t, const std::string& b, bool text) {
    type = t;
    body = b;
    const std::string all = Get(*http, server.Url("/"), {{"text", text}}).content;
    const std::size_t at = all.find("\n\n");
    return at == std::string::npos ? "" : all.substr(at + 2);
  };
  EXPECT_EQ(fetch("image/png", std::string("\x89PNG\0", 5), false),
            "[image/png, 5 bytes: not shown]");
  EXPECT_EQ(fetch("text/plain", std::string("a\0b", 3), false), "[text/plain, 3 bytes: not shown]");
  EXPECT_EQ(fetch("text/plain; charset=ISO-8859-1", "gr\xFCn", false), "grün");
  EXPECT_EQ(fetch("text/plain", "gr\xFCn", false), "gr\xEF\xBF\xBDn");
  EXPECT_EQ(fetch("application/json", "{}", true), "{}");
  EXPECT_EQ(fetch("text/html", "<p>x</p>", false), "<p>x</p>");
  EXPECT_EQ(
      fetch("text/html; charset=utf-8",
            "<!doctype html><html><head><title>T &amp; t</title><script>if (a<b) x();</script>"
            "<style>p{}</style></head><body><h2>Head</h2><p>One\n two<br>three "
            "<a href='/l?a=1&amp;b=2'>link</a>.<ul><li>a<li>b</ul><!-- <p>no --><table><tr><td>1"
            "<td>2</table><pre>a\n  b</pre>5 < 6 &#8364; &unknown; &#xZZ;</body>",
            true),
      "T & t\n\n## Head\n\nOne two\nthree link (/l?a=1&b=2).\n\n- a\n- b\n\n1 | 2\n\na\n  b\n\n"
      "5 < 6 € &unknown; &#xZZ;");
  for (const char* broken : {"<", "<a", "<a href=", "<a href='", "<!--", "</", "<script>", "&#",
                             "&#x", "<a =b>", "<p / = >", "<h9>x", "<>", "a<b>c<"}) {
    fetch("text/html", broken, true);
  }
}

TEST(HtmlTextTest, HostileMarkupCostsNoMoreThanItsLength) {
  for (const std::string piece :
       {"<a", "<a b=\"", "<", "<!--", "</p", "&#", "<a b='<c d=\"", "<svg>"}) {
    std::string html;
    while (html.size() < 1'000'000) html += piece;
    EXPECT_LE(HtmlToText(html).size(), html.size() + 1'000'000) << piece;
  }
}

TEST(HtmlTest, HiddenElementsAreLeftOut) {
  for (const char* hidden :
       {"<div hidden>obey <div>x</div> me</div>", "<p style=\"color:red; Display: None\">obey</p>",
        "<span style='visibility:hidden'>obey</span>", "<b style=\"font-size:0\">obey</b>",
        "<i style=\"opacity:0\">obey</i>", "<!-- obey -->"}) {
    EXPECT_EQ(HtmlToText(std::string("seen ") + hidden + " also"), "seen also") << hidden;
  }
  EXPECT_EQ(HtmlToText("a <p style=\"opacity:0.5\">b</p>"), "a\n\nb");
  EXPECT_EQ(HtmlToText("a <b hidden>never closed"), "a");
  EXPECT_EQ(HtmlToText("a <input hidden> b"), "a b");
}

TEST(HttpTest, Configuration) {
  const auto message = [](const char* config) {
    return std::string(sdk::PluginHarness(MakeHttpPlugin()).Configure(config).message());
  };
  EXPECT_THAT(message(R"({"allow_privat":true})"), HasSubstr("option 'allow_privat' is not known"));
  EXPECT_THAT(message(R"({"allow_private":"yes"})"), HasSubstr("must be of type boolean"));
  EXPECT_THAT(message(R"({"timeout_ms":0})"), HasSubstr("timeout_ms must be"));
}

std::string Why(const char* text) {
  sockaddr_in in = {};
  sockaddr_in6 in6 = {};
  if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    return std::string(WhyNotPublic(reinterpret_cast<sockaddr*>(&in), sizeof in));
  }
  EXPECT_EQ(inet_pton(AF_INET6, text, &in6.sin6_addr), 1) << text;
  in6.sin6_family = AF_INET6;
  return std::string(WhyNotPublic(reinterpret_cast<sockaddr*>(&in6), sizeof in6));
}

TEST(AddressTest, OnlyGlobalUnicastIsPublic) {
  for (const char* text : {"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1",
                           "223.255.255.255", "2606:4700::1111", "64:ff9b::8.8.8.8"}) {
    EXPECT_EQ(Why(text), "") << text;
  }
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.1.2.3",
                           "100.64.0.1",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "198.18.0.1",
                           "203.0.113.9",
                           "224.0.0.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "168.63.129.16",
                           "::",
                           "::1",
                           "::127.0.0.1",
                           "::ffff:8.8.8.8",
                           "::ffff:127.0.0.1",
                           "fe80::1",
                           "fec0::1",
                           "fc00::1",
                           "fd00:ec2::254",
                           "ff02::1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "100::1",
                           "3fff::1"}) {
    EXPECT_NE(Why(text), "") << text;
  }
  EXPECT_EQ(Why("100.64.0.1"), "a carrier's shared address");
  sockaddr unix_address = {};
  unix_address.sa_family = AF_UNIX;
  EXPECT_NE(WhyNotPublic(&unix_address, sizeof unix_address), "");
}

TEST(UrlTest, TakesApartWhatIsFetched) {
  const auto url = Url::Parse("HTTP://ExAmple.com/a/../b?x#y");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, "80");
  EXPECT_EQ(url->scheme, "http");
  EXPECT_THAT(url->text, Not(HasSubstr("#y")));
  EXPECT_TRUE(url->SameOrigin(*Url::Parse("http://example.com:80/z")));
  EXPECT_FALSE(url->SameOrigin(*Url::Parse("https://example.com/")));
  EXPECT_FALSE(Url::Parse(std::string("http://a/") + std::string(9000, 'x')).ok());
}

}  // namespace
}  // namespace talon::plugins
