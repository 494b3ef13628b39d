// SPDX-License-Identifier: Apache-2.0
#include "gateway/cors.h"

namespace talon::gateway {

bool IsPreflight(const io::ServerRequest& request) {
  return request.method == "OPTIONS" && request.headers.Has("Access-Control-Request-Method");
}

io::ServerResponse PreflightAnswer(const io::ServerRequest& request) {
  io::ServerResponse response;
  response.status = 204;
  response.headers.Set("Access-Control-Allow-Methods", "GET, POST, DELETE");
  // Every header may be sent: what counts is the bearer token.
  if (const auto asked = request.headers.Get("Access-Control-Request-Headers"); !asked.empty()) {
    response.headers.Set("Access-Control-Allow-Headers", std::string(asked));
  }
  if (request.headers.Has("Access-Control-Request-Private-Network")) {
    response.headers.Set("Access-Control-Allow-Private-Network", "true");
  }
  response.headers.Set("Access-Control-Max-Age", "600");
  return response;
}

void CorsWriter::Open(io::Headers& headers) const {
  headers.Set("Access-Control-Allow-Origin", origin_);
  headers.Set("Access-Control-Expose-Headers", "X-Talon-Turn, X-Talon-Session, Retry-After");
  headers.Set("Vary", "Origin");
}

io::Task<absl::Status> CorsWriter::Send(io::ServerResponse response) {
  Open(response.headers);
  return inner_.Send(std::move(response));
}

io::Task<absl::Status> CorsWriter::StartStream(io::ServerResponse response) {
  Open(response.headers);
  return inner_.StartStream(std::move(response));
}

}  // namespace talon::gateway
