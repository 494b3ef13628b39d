// SPDX-License-Identifier: Apache-2.0
// The transport over TCP and TLS, against a grpc++ server that wants a client's certificate.
#include "plugin/tls_identity.h"

#include <grpc/grpc.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "base/status.h"
#include "io/loop.h"
#include "plugin/transport.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/plugin/call_rig.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;

class TlsService final : public v1::Plugin::Service {
  grpc::Status Execute(grpc::ServerContext*, const v1::ExecuteRequest* request,
                       v1::ExecuteResponse* response) override {
    response->set_content(request->arguments_json());
    return grpc::Status::OK;
  }
};

std::string DerOf(const TlsIdentity& identity) {
  BIO* bio = BIO_new_mem_buf(identity.certificate_pem.data(), -1);
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  X509_free(certificate);
  BIO_free(bio);
  return bytes;
}

class TlsTest : public testing::Test {
 protected:
  ~TlsTest() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
  }
  // At "unix:…" or "127.0.0.1:0"; without TLS unless a client is named whose certificate it wants.
  void Serve(const std::string& address, const TlsIdentity* client = nullptr) {
    grpc_init();  // never undone: the library's own shutdown may wait 10 s for one of its threads
    auto credentials = grpc::InsecureServerCredentials();
    if (client != nullptr) {
      grpc::SslServerCredentialsOptions options(
          GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
      options.pem_root_certs = client->certificate_pem;
      options.pem_key_cert_pairs.push_back({server_id_.key_pem, server_id_.certificate_pem});
      credentials = grpc::SslServerCredentials(options);
    }
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, credentials, &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    if (address.starts_with("unix:")) {
      endpoint_.address = address.substr(5);
    } else {
      endpoint_.network = Endpoint::Network::kTcp;
      endpoint_.address = "127.0.0.1:" + std::to_string(port);
    }
  }
  absl::StatusOr<std::string> Echo(const std::string& text) {
    auto transport = loop_.RunUntilDone(Connect(loop_, endpoint_, {}, Within(10s)));
    if (!transport.ok()) return transport.status();
    v1::ExecuteRequest request;
    request.set_arguments_json(text);
    const auto bytes = loop_.RunUntilDone(
        (*transport)->Call("/talon.v1.Plugin/Execute", request.SerializeAsString(), Within(10s)));
    if (!bytes.ok()) return bytes.status();
    v1::ExecuteResponse response;
    response.ParseFromString(*bytes);
    return response.content();
  }

  io::Loop loop_;
  test::TempFolder folder_{test::Where::kMemory};
  const TlsIdentity server_id_ = *MakeTlsIdentity();
  const TlsIdentity client_id_ = *MakeTlsIdentity();
  TlsService service_;
  std::unique_ptr<grpc::Server> server_;
  Endpoint endpoint_;
};

TEST_F(TlsTest, PlainTcp) {
  Serve("127.0.0.1:0");
  EXPECT_EQ(*Echo("hello"), "hello");
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(*Echo(large), large);
}

TEST_F(TlsTest, BothEndsShowTheirCertificates) {
  for (const std::string address : {"127.0.0.1:0", "unix:"}) {
    Serve(address == "unix:" ? address + folder_ / "s" : address, &client_id_);
    endpoint_.tls = TlsTerms{client_id_, DerOf(server_id_)};
    EXPECT_EQ(*Echo("hello"), "hello");
    const std::string large(3 << 20, 'x');
    EXPECT_EQ(*Echo(large), large);
    endpoint_ = {};
  }
}

TEST_F(TlsTest, AnotherServerIsRefused) {
  Serve("127.0.0.1:0", &client_id_);
  endpoint_.tls = TlsTerms{client_id_, DerOf(*MakeTlsIdentity())};
  const auto result = Echo("hello");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kPermissionDenied) << result.status();
}

TEST_F(TlsTest, AnotherClientIsRefused) {
  Serve("127.0.0.1:0", &client_id_);
  endpoint_.tls = TlsTerms{*MakeTlsIdentity(), DerOf(server_id_)};
  EXPECT_FALSE(Echo("hello").ok());
}

TEST_F(TlsTest, PlainServersAndPlainClientsDoNotMeetTls) {
  Serve("127.0.0.1:0");
  endpoint_.tls = TlsTerms{client_id_, DerOf(server_id_)};
  const auto result = Echo("hello");
  EXPECT_EQ(ReasonOf(result.status()), ErrorReason::kPluginMisbehaved) << result.status();
  server_->Shutdown();
  endpoint_ = {};
  Serve("127.0.0.1:0", &client_id_);
  EXPECT_FALSE(Echo("hello").ok());
}

TEST_F(TlsTest, BadAddressesAreSaid) {
  endpoint_.network = Endpoint::Network::kTcp;
  for (const std::string address : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "localhost:80",
                                    "127.0.0.1:80x", "1.2.3.4.5:1"}) {
    endpoint_.address = address;
    EXPECT_EQ(Echo("").status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
  endpoint_.address = "[::1]:1";
  EXPECT_FALSE(Echo("").ok());
}

TEST(CertificateTest, HandshakesCertificates) {
  EXPECT_FALSE(DecodeCertificate("").ok());
  EXPECT_FALSE(DecodeCertificate("AAAA").ok());
  EXPECT_FALSE(DecodeCertificate("no base64 !").ok());
  const TlsIdentity identity = *MakeTlsIdentity();
  // The PEM form is the same base64, padded and in lines.
  std::string base64;
  const std::string& pem = identity.certificate_pem;
  for (std::size_t at = pem.find('\n') + 1; pem[at] != '-'; ++at) {
    if (pem[at] != '\n' && pem[at] != '=') base64 += pem[at];
  }
  EXPECT_EQ(*DecodeCertificate(base64), DerOf(identity));
}

}  // namespace
}  // namespace talon::plugin
