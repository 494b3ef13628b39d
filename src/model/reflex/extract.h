// SPDX-License-Identifier: Apache-2.0
// Reads a tool's arguments off a message. Takes what is written, never invents. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/reflex/parameters.h"

namespace talon::model::reflex {

struct Extracted {
  std::string arguments;             // JSON object
  std::vector<std::string> missing;  // required ones that could not be read
  bool refers_back = false;          // "it", "the result": another step's output is meant
  std::size_t unused = 0;            // quoted text, code, URLs, paths nothing was done with
  std::vector<std::string> words;    // words nothing was done with
};

// `rest` is what follows the words that chose the tool, `head`.
Extracted ExtractArguments(const std::vector<Parameter>& parameters, std::string_view head,
                           std::string_view rest);

}  // namespace talon::model::reflex
