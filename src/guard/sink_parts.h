// SPDX-License-Identifier: Apache-2.0
// Takes a sink's value apart into what must each have come from somewhere: a URL into host, path
// segments and query values, a list of recipients into addresses. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "guard/policy.h"
#include "guard/word_index.h"

namespace talon::guard {

struct SinkPart {
  std::string what;    // "host", "path", "address", "amount" …
  std::string text;    // as in the value
  std::string folded;  // as it is looked for
  Edge edge = Edge::kWord;
  bool exact =
      true;  // false: no spelling of it may count (control characters, escapes in a command)
};

struct SinkParts {
  SinkPart whole;
  std::vector<SinkPart> spellings;  // of the whole: finding one is finding it
  std::vector<SinkPart> parts;      // looked at when the whole is not found; empty: there are none
};

// `workspace`: a path in it is looked for as it is from there.
SinkParts TakeApart(SinkKind kind, std::string_view value, std::string_view workspace);

// The host of a URL in lower case, with its port unless it is the scheme's own; empty when the text
// is no URL with a host.
std::string HostOf(std::string_view url);

}  // namespace talon::guard
