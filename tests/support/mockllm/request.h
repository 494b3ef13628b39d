// SPDX-License-Identifier: Apache-2.0
// A model request as a script sees it, whichever of the three wires it came over. Pure functions,
// any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "io/http_server.h"

namespace talon::mockllm {

enum class Wire { kOpenAi, kAnthropic, kGoogle };

std::string_view WireName(Wire wire);

struct ModelRequest {
  Wire wire = Wire::kOpenAi;
  std::string model;
  bool stream = false;
  bool include_usage = false;  // OpenAI's stream_options
  std::string key;             // the credential as sent, without "Bearer "
  std::string system;
  std::string user;         // text of the last message a person wrote
  std::string tool_result;  // text of the results at the end of the conversation; empty otherwise
  bool ends_with_result = false;
  int round = 0;                   // model answers since that person's message
  int messages = 0;                // in the request
  std::vector<std::string> tools;  // names offered
};

// Which wire a path belongs to; for Gemini also model and streaming, which are in the path.
// NotFound for paths of none.
absl::StatusOr<ModelRequest> RequestOfPath(std::string_view path);

// Fills `request` from headers and body. InvalidArgument when the body is not what the wire asks
// for.
absl::Status ReadRequest(const io::ServerRequest& http, const Json& body, ModelRequest& request);

}  // namespace talon::mockllm
