// SPDX-License-Identifier: Apache-2.0
// One round of the reflex model: which step of the user's message is next, and what the tools said
// so far. Text in a tool result is shown and never read as a request. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/reflex/texts.h"
#include "model/types.h"

namespace talon::model::reflex {

// What to answer: a call, or a text.
struct Answer {
  std::string text;
  std::optional<ToolCall> call;  // its id is left empty
};

Answer MakeAnswer(const Texts& texts, const Clock& clock, const ChatRequest& request);

// A guarded tool result without its [plugin_output] envelope, for people.
std::string Unwrap(std::string_view content);

}  // namespace talon::model::reflex
