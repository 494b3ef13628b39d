// SPDX-License-Identifier: Apache-2.0
// Who acts because somebody else set it going: a timer, a plugin's callback, a sub-agent, a step of
// a workflow. It acts for the same person and can do no more than they; what only a person's own
// hand may do, it may not. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/principal.h"

namespace talon {

// `by` says what it is: "timer:disk/scan". The origin becomes "cli>timer:disk/scan"; edges never
// put a '>' into an origin.
inline Principal DerivedFrom(Principal from, std::string_view by) {
  from.origin += '>';
  from.origin += by;
  return from;
}

inline bool IsDerived(const Principal& principal) {
  return principal.origin.find('>') != std::string::npos;
}

}  // namespace talon
