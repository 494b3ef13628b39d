// SPDX-License-Identifier: Apache-2.0
#include "plugin/h2/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "base/status.h"
#include "plugin/h2/wire.h"

namespace talon::plugin::h2 {
namespace {

constexpr std::size_t kPiece = 16 << 10;  // of a TLS record
constexpr unsigned char kAlpn[] = {2, 'h', '2'};
constexpr std::string_view kWrongPeer = "the plugin's certificate is not the one of its handshake";

absl::Status TlsError(std::string_view attempt) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return Misbehaved(
      fmt::format("{}: {}", attempt, reason == nullptr ? "the connection is broken" : reason));
}

bool UseIdentity(SSL_CTX* context, const TlsIdentity& own) {
  const auto bio = [](const std::string& pem) {
    return std::unique_ptr<BIO, decltype(&BIO_free_all)>(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all);
  };
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio(own.certificate_pem).get(), nullptr, nullptr, nullptr), X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio(own.key_pem).get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  return certificate != nullptr && key != nullptr &&
         SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

// The peer is who it must be when its certificate is the agreed one, byte by byte.
int CheckPeer(X509_STORE_CTX* store, void* agreed) {
  const auto& expected = *static_cast<const std::string*>(agreed);
  X509* shown = X509_STORE_CTX_get0_cert(store);
  unsigned char* der = nullptr;
  const int size = shown == nullptr ? -1 : i2d_X509(shown, &der);
  const bool same = size > 0 && std::string_view(reinterpret_cast<const char*>(der),
                                                 static_cast<std::size_t>(size)) == expected;
  OPENSSL_free(der);
  if (!same) X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
  return same ? 1 : 0;
}

}  // namespace

struct Tls::State {
  ~State() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  std::string peer_certificate;
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  BIO* in = nullptr;   // owned by ssl
  BIO* out = nullptr;  // owned by ssl
};

Tls::Tls(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tls::~Tls() = default;

absl::StatusOr<std::unique_ptr<Tls>> Tls::Create(const TlsTerms& terms) {
  auto state = std::make_unique<State>();
  state->peer_certificate = terms.peer_certificate;
  state->context = SSL_CTX_new(TLS_client_method());
  SSL_CTX* context = state->context;
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(context, kAlpn, sizeof(kAlpn)) != 0 ||
      !UseIdentity(context, terms.own)) {
    return Internal("prepare TLS to a plugin: OpenSSL refused");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, CheckPeer, &state->peer_certificate);
  state->ssl = SSL_new(context);
  state->in = BIO_new(BIO_s_mem());
  state->out = BIO_new(BIO_s_mem());
  if (state->ssl == nullptr || state->in == nullptr || state->out == nullptr) {
    return Internal("prepare TLS to a plugin: OpenSSL refused");
  }
  SSL_set_bio(state->ssl, state->in, state->out);
  SSL_set_tlsext_host_name(state->ssl, "localhost");
  SSL_set_connect_state(state->ssl);
  std::unique_ptr<Tls> tls(new Tls(std::move(state)));
  TALON_RETURN_IF_ERROR(tls->Handshake());
  return tls;
}

bool Tls::established() const {
  return SSL_is_init_finished(state_->ssl) == 1;
}

absl::Status Tls::Handshake() {
  const int result = SSL_do_handshake(state_->ssl);
  if (result != 1) {
    if (SSL_get_error(state_->ssl, result) == SSL_ERROR_WANT_READ) return absl::OkStatus();
    if (SSL_get_verify_result(state_->ssl) != X509_V_OK) {
      ERR_clear_error();
      return PermissionDenied(kWrongPeer);
    }
    return TlsError("TLS to the plugin");
  }
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->ssl, &protocol, &size);
  if (size != 2 || protocol[0] != 'h' || protocol[1] != '2') {
    return Misbehaved("TLS to the plugin: it does not offer HTTP/2");
  }
  return absl::OkStatus();
}

absl::Status Tls::Receive(std::string_view wire, std::string& plain) {
  BIO_write(state_->in, wire.data(), static_cast<int>(wire.size()));
  if (!established()) TALON_RETURN_IF_ERROR(Handshake());
  while (established()) {
    char piece[kPiece];
    const int count = SSL_read(state_->ssl, piece, sizeof(piece));
    if (count > 0) {
      plain.append(piece, static_cast<std::size_t>(count));
      continue;
    }
    const int error = SSL_get_error(state_->ssl, count);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN) break;
    return TlsError("TLS to the plugin");
  }
  return absl::OkStatus();
}

absl::Status Tls::Send(std::string_view plain) {
  if (plain.empty()) return absl::OkStatus();
  const int count = SSL_write(state_->ssl, plain.data(), static_cast<int>(plain.size()));
  return count == static_cast<int>(plain.size()) ? absl::OkStatus() : TlsError("TLS to the plugin");
}

void Tls::Produce(std::string& out) {
  const std::size_t pending = BIO_ctrl_pending(state_->out);
  if (pending == 0) return;
  const std::size_t before = out.size();
  out.resize(before + pending);
  BIO_read(state_->out, out.data() + before, static_cast<int>(pending));
}

}  // namespace talon::plugin::h2
