// SPDX-License-Identifier: Apache-2.0
#include "plugin/handshake.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "plugin/launch.h"
#include "talon/sdk/protocol.h"

namespace talon::plugin {
namespace {

void ExpectRefused(std::string_view line, std::string_view text, const Offer& offer = {}) {
  const auto parsed = ParseHandshake(line, offer);
  ASSERT_FALSE(parsed.ok()) << line;
  EXPECT_NE(Message(parsed.status()).find(text), std::string_view::npos) << parsed.status();
}

TEST(HandshakeTest, TakesWhatPluginsPrint) {
  for (const std::string_view line :
       {"1|1|unix|/run/p/s|grpc", "1|1|unix|/run/p/s|grpc|", "1|1|unix|/run/p/s|grpc||false",
        "1|1|unix|/run/p/s|grpc|junk|false|more|fields", " 1|1|unix|/run/p/s|grpc\r"}) {
    const auto parsed = ParseHandshake(line, {});
    ASSERT_TRUE(parsed.ok()) << line << parsed.status();
    EXPECT_EQ(parsed->dialect, Dialect::kGoPlugin);
    EXPECT_EQ(parsed->address, "/run/p/s");
  }
}

TEST(HandshakeTest, KnowsTheOtherDialectByItsSecondField) {
  const auto plain = ParseHandshake("1|unix|/run/p/plugin.sock", {});
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->dialect, Dialect::kOpenTalon);
  EXPECT_EQ(plain->address, "/run/p/plugin.sock");
  const auto http = ParseHandshake("1|unix|/run/p/plugin.sock|127.0.0.1:9000", {});
  ASSERT_TRUE(http.ok());
  EXPECT_EQ(http->address, "/run/p/plugin.sock");
  ExpectRefused("2|unix|/x", "version '2'");
  ExpectRefused("1|tcp|127.0.0.1:1", "without TLS; set `mtls: off`");
}

TEST(HandshakeTest, RefusesWithTheReason) {
  ExpectRefused("", "no handshake");
  ExpectRefused("Hello, I am a plugin", "no handshake");
  ExpectRefused("2|1|unix|/s|grpc", "core protocol '2'");
  ExpectRefused("1|4|unix|/s|grpc", "version '4', this daemon version 1");
  ExpectRefused("1|1|tcp|127.0.0.1:1234|grpc", "set `mtls: required`");
  ExpectRefused("1|1|vsock|/s|grpc", "network 'vsock'");
  ExpectRefused("1|1|unix|s|grpc", "not absolute");
  ExpectRefused("1|1|unix||grpc", "not absolute");
  ExpectRefused("1|1|unix|/s", "'netrpc'");
  ExpectRefused("1|1|unix|/s|netrpc", "'netrpc'");
  ExpectRefused("1|1|unix|/s|grpc|" + std::string(60, 'M'), "TLS");
  ExpectRefused("1|1|unix|/s|grpc||true", "multiplexes");
}

TEST(HandshakeTest, TcpAndTlsOnlyAsOffered) {
  const std::string certificate(700, 'M');
  const std::string tcp = "1|1|tcp|127.0.0.1:1234|grpc|";
  ExpectRefused(tcp, "mtls: required");
  ExpectRefused(tcp + certificate, "mtls: required");
  const Offer plain{.plain_tcp = true};
  const auto taken = ParseHandshake(tcp, plain);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->network, Endpoint::Network::kTcp);
  EXPECT_EQ(taken->address, "127.0.0.1:1234");
  EXPECT_TRUE(ParseHandshake("1|tcp|[::1]:80", plain).ok());
  ExpectRefused("1|1|tcp|10.0.0.1:1234|grpc", "loopback", plain);
  const Offer tls{.tls = true};
  ExpectRefused(tcp, "no certificate", tls);
  ExpectRefused("1|1|unix|/s|grpc|short", "no certificate", tls);
  ExpectRefused("1|unix|/s", "no TLS", tls);
  const auto secure = ParseHandshake("1|1|unix|/s|grpc|" + certificate, tls);
  ASSERT_TRUE(secure.ok()) << secure.status();
  EXPECT_EQ(secure->certificate, certificate);
}

TEST(HandshakeTest, AnyOfferedVersionWillDo) {
  const Offer offer{.versions = {4, 2}};
  EXPECT_TRUE(ParseHandshake("1|2|unix|/s|grpc", offer).ok());
  ExpectRefused("1|1|unix|/s|grpc", "version '1', this daemon version 4, 2", offer);
}

TEST(HandshakeTest, QuotesJunkShortAndClean) {
  const auto parsed = ParseHandshake("\x1b[31m" + std::string(5000, '\xff'), {});
  ASSERT_FALSE(parsed.ok());
  EXPECT_LT(Message(parsed.status()).size(), 300U);
  EXPECT_EQ(Message(parsed.status()).find('\x1b'), std::string_view::npos);
}

TEST(HandshakeTest, AgreesWithTheSdk) {
  EXPECT_STREQ(kCookieName, sdk::kCookieName);
  EXPECT_STREQ(kCookieValue, sdk::kCookieValue);
  EXPECT_STREQ(kCallerKeyName, sdk::kCallerKeyName);
  EXPECT_STREQ(kCallerKeyHeader, sdk::kCallerKeyHeader);
  EXPECT_EQ(kAppProtocol, sdk::kProtocolVersion);
}

}  // namespace
}  // namespace talon::plugin
