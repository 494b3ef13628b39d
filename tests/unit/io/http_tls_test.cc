// SPDX-License-Identifier: Apache-2.0
// TLS and HTTP/2 of the client against a server of Node's with a self-signed certificate.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/process.h"
#include "tests/support/temp_folder.h"

namespace talon::io {
namespace {

using testing::HasSubstr;

constexpr char kNode[] = "/usr/bin/node";
constexpr char kOpenssl[] = "/usr/bin/openssl";

class HttpTlsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("SSL_CERT_FILE");
    if (::access(kNode, X_OK) != 0) GTEST_SKIP() << "there is no " << kNode;
    ASSERT_EQ(MakeCertificate("server"), 0);
    server_ = Start(kNode, {TALON_H2_SERVER, folder_ / "server.pem", folder_ / "server.key"});
    const auto line = loop_.RunUntilDone(server_->ReadStdout());
    ASSERT_TRUE(line.ok()) << line.status();
    ASSERT_FALSE(line->empty()) << "the server did not start";
    url_ = "https://127.0.0.1:" + std::string(TrimSpace(*line));
  }
  void TearDown() override { ::unsetenv("SSL_CERT_FILE"); }

  std::unique_ptr<Process> Start(const char* program, std::vector<std::string> args) {
    SpawnOptions options{.program = program, .args = std::move(args)};
    options.env = {"PATH=/usr/bin:/bin", "HOME=" + folder_.path()};
    auto process = Spawn(loop_, options);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  int MakeCertificate(const std::string& name) {
    const auto openssl =
        Start(kOpenssl, {"req", "-x509", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
                         "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                         folder_ / (name + ".key"), "-out", folder_ / (name + ".pem")});
    const auto end = loop_.RunUntilDone(openssl->Wait({}));
    return end.ok() ? end->code : -1;
  }
  absl::StatusOr<HttpResponse> Get(HttpClientOptions options) {
    const auto client = MakeCurlClient(loop_, std::move(options));
    HttpRequest request;
    request.url = url_ + "/path";
    return loop_.RunUntilDone(client->Fetch(std::move(request), {}));
  }

  Loop loop_;
  test::TempFolder folder_;
  std::unique_ptr<Process> server_;
  std::string url_;
};

TEST_F(HttpTlsTest, ASelfSignedCertificateIsRefused) {
  const auto response = Get({});
  EXPECT_EQ(ReasonOf(response.status()), ErrorReason::kTransport) << response.status();
  EXPECT_THAT(std::string(Message(response.status())), HasSubstr("self-signed certificate"));
}

TEST_F(HttpTlsTest, TheAuthoritiesOfAFileAreAcceptedAndHttp2IsAgreed) {
  const auto response = Get({.ca_file = folder_ / "server.pem"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "GET /path by HTTP/2.0");
}

TEST_F(HttpTlsTest, AnotherFileOfAuthoritiesDoesNotHelp) {
  ASSERT_EQ(MakeCertificate("other"), 0);
  EXPECT_EQ(ReasonOf(Get({.ca_file = folder_ / "other.pem"}).status()), ErrorReason::kTransport);
  const auto missing = Get({.ca_file = folder_ / "nosuch.pem"});
  EXPECT_FALSE(missing.ok());
  EXPECT_THAT(std::string(Message(missing.status())), HasSubstr("nosuch.pem"));
}

TEST_F(HttpTlsTest, TheEnvironmentNamesAuthoritiesUnlessAnOptionDoes) {
  ::setenv("SSL_CERT_FILE", (folder_ / "server.pem").c_str(), 1);
  EXPECT_TRUE(Get({}).ok());
  ASSERT_EQ(MakeCertificate("other"), 0);
  EXPECT_FALSE(Get({.ca_file = folder_ / "other.pem"}).ok());
}

TEST_F(HttpTlsTest, ACertificateForAnotherHostIsRefused) {
  const HttpClientOptions trusting{.ca_file = folder_ / "server.pem"};
  url_.replace(url_.find("127.0.0.1"), 9, "localhost");
  const auto response = Get(trusting);
  EXPECT_EQ(ReasonOf(response.status()), ErrorReason::kTransport) << response.status();
}

TEST_F(HttpTlsTest, VerificationCanBeTurnedOff) {
  EXPECT_TRUE(Get({.verify_tls = false}).ok());
}

}  // namespace
}  // namespace talon::io
