// SPDX-License-Identifier: Apache-2.0
// The answer to one request: what a handler is given as ResponseWriter. Owned by its Connection
// while the handler runs. Loop's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/cancel.h"
#include "io/http_server.h"
#include "io/http_wire.h"

namespace talon::io {

class Connection;

class Exchange final : public ResponseWriter {
 public:
  struct Facts {
    bool head_only;  // the answer to HEAD has no body
    bool http10;     // no chunks
    bool keep_alive;
  };
  Exchange(Connection& connection, Facts facts) : connection_(connection), facts_(facts) {}

  Task<absl::Status> Send(ServerResponse response) override;
  Task<absl::Status> StartStream(ServerResponse response) override;
  Task<absl::Status> Write(std::string data) override;
  Task<absl::Status> Finish() override;
  bool started() const override { return state_ != State::kNothing; }

  bool complete() const { return state_ == State::kComplete; }
  bool keep_alive() const { return facts_.keep_alive; }
  CancelSource& client_gone() { return client_gone_; }
  // Sends what StartStream holds back for the first Write.
  void FlushHead();

 private:
  enum class State : std::uint8_t { kNothing, kStreaming, kComplete };
  std::string Head(const ServerResponse& response, Framing framing);
  Task<absl::Status> Deliver(std::string data);

  Connection& connection_;
  Facts facts_;
  State state_ = State::kNothing;
  Framing framing_ = Framing::kLength;
  std::string held_;
  CancelSource client_gone_;
};

}  // namespace talon::io
