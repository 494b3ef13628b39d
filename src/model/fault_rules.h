// SPDX-License-Identifier: Apache-2.0
// The tables that place a provider's error in the taxonomy. Providers agree on little, so codes are
// looked at first, then phrases, then the HTTP status. Private to the room.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "base/status.h"

namespace talon::model {

struct ReasonText {
  absl::StatusCode code;
  std::string_view what;
  std::string_view cure;
};
ReasonText TextOfReason(ErrorReason reason);

// All arguments in lower case. `words`: the provider's type and code words.
bool SaysContextTooLong(std::string_view words, std::string_view message);
ErrorReason ReasonOfWords(std::string_view words);      // kNone when they say nothing
ErrorReason ReasonOfMessage(std::string_view message);  // kNone when it says nothing
ErrorReason ReasonOfHttpStatus(int status, std::string_view message);

}  // namespace talon::model
