// SPDX-License-Identifier: Apache-2.0
// What a browser needs to let a page of a listed origin call the API and read its answers. Only for
// requests whose Origin was admitted. Loop's thread.
#pragma once

#include <string>

#include "io/http_server.h"

namespace talon::gateway {

// A browser asks before it sends: OPTIONS with Access-Control-Request-Method.
bool IsPreflight(const io::ServerRequest& request);
io::ServerResponse PreflightAnswer(const io::ServerRequest& request);

// Passes an answer on with the headers that open it to `origin`.
class CorsWriter : public io::ResponseWriter {
 public:
  // `inner` must outlive this.
  CorsWriter(io::ResponseWriter& inner, std::string origin)
      : inner_(inner), origin_(std::move(origin)) {}
  io::Task<absl::Status> Send(io::ServerResponse response) override;
  io::Task<absl::Status> StartStream(io::ServerResponse response) override;
  io::Task<absl::Status> Write(std::string data) override { return inner_.Write(std::move(data)); }
  io::Task<absl::Status> Finish() override { return inner_.Finish(); }
  bool started() const override { return inner_.started(); }

 private:
  void Open(io::Headers& headers) const;
  io::ResponseWriter& inner_;
  const std::string origin_;
};

}  // namespace talon::gateway
