// SPDX-License-Identifier: Apache-2.0
// Who the two ends of a plugin's TLS connection are, as go-plugin's AutoMTLS does it: each makes a
// certificate for this one process and tells the other; nothing else is trusted. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talon::plugin {

// Our end: a new P-256 key (peers built on BoringSSL refuse larger curves) and a certificate for
// "localhost" signed with it.
struct TlsIdentity {
  std::string certificate_pem;  // goes to the plugin as PLUGIN_CLIENT_CERT
  std::string key_pem;
};
absl::StatusOr<TlsIdentity> MakeTlsIdentity();

// The plugin's end: the certificate in its handshake (base64 without padding) as DER.
absl::StatusOr<std::string> DecodeCertificate(std::string_view base64);

struct TlsTerms {
  TlsIdentity own;
  std::string peer_certificate;  // DER; the peer must present exactly this one
};

}  // namespace talon::plugin
