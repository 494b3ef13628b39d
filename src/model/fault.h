// SPDX-License-Identifier: Apache-2.0
// What a provider says went wrong, in any of the shapes providers use, and its place in the error
// taxonomy of base/status.h. Pure functions, any thread; private to the room.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/status.h"

namespace talon::model {

struct Fault {
  int http_status = 200;  // 200: said inside an answer that had begun
  std::string type;       // the provider's words for the kind, lower case, space-separated
  std::string message;    // the provider's message, in full and untrusted
  std::optional<std::chrono::milliseconds> retry_after;
  ErrorReason reason = ErrorReason::kNone;  // set where the wire itself decides
  bool too_large = false;                   // our limit was hit: never tried again
};

// The error object of a document; nullopt when it is an ordinary one.
std::optional<Fault> FindFault(const Json& document);

// The fault of a refused request, whatever its body is (JSON, HTML, text, nothing).
Fault FaultOfBody(int http_status, std::string_view body);

ErrorReason Classify(const Fault& fault);

// Whose error it is.
struct ModelName {
  std::string provider;
  std::string model;
};

// "model 'openai/gpt-4o'", for error texts.
std::string Describe(const ModelName& name, const Redactor& redactor);

// "model 'openai/gpt-4o': rate limited (HTTP 429): '…'", with reason and retry-after attached. At
// most 300 bytes of the provider's message, redacted, on one line.
absl::Status FaultStatus(const Fault& fault, const ModelName& name, const Redactor& redactor);

}  // namespace talon::model
