// SPDX-License-Identifier: Apache-2.0
// TLS of one connection without its socket: bytes of the wire on one side, plain bytes on the
// other. Both ends show a certificate; the peer's must be the one that was agreed. Owned by a
// link; loop's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/tls_identity.h"

namespace talon::plugin::h2 {

class Tls {
 public:
  static absl::StatusOr<std::unique_ptr<Tls>> Create(const TlsTerms& terms);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // Takes bytes of the wire and appends what they say to `plain`. PermissionDenied when the peer
  // is not the one agreed upon, Internal/kPluginMisbehaved when it does not speak TLS or HTTP/2.
  absl::Status Receive(std::string_view wire, std::string& plain);
  // The handshake is done: plain bytes may be sent.
  bool established() const;
  absl::Status Send(std::string_view plain);
  // Appends bytes for the wire to `out`.
  void Produce(std::string& out);

 private:
  struct State;
  explicit Tls(std::unique_ptr<State> state);
  absl::Status Handshake();
  std::unique_ptr<State> state_;
};

}  // namespace talon::plugin::h2
