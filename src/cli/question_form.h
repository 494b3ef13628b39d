// SPDX-License-Identifier: Apache-2.0
// A tool's question as a person at a terminal sees it: who asks, then one line a field. Blocking,
// by the lines it is given; any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace talon::cli {

// Shows the prompt and reads a line; nothing when the person does not want to (Ctrl-C, end of
// input) or the question was withdrawn.
using ReadLine = std::function<std::optional<std::string>(const std::string& prompt)>;
using ShowText = std::function<void(const std::string& text)>;

struct FormAnswer {
  bool accepted = false;  // else declined
  std::string content;    // JSON of the fields; empty when there are none
};

// `question`: the data of a "question" event. Yes or no, a page, or the fields of its schema: an
// empty line takes the default, leaves an optional field out, and declines where neither is there.
// What does not fit is asked again, three times.
FormAnswer AskPerson(const Json& question, const ReadLine& read, const ShowText& show);

}  // namespace talon::cli
