// SPDX-License-Identifier: Apache-2.0
// What every asynchronous operation is given: who acts, until when, how it is told to stop, and the
// id under which its traces are found. Cheap to copy. Event loop thread.
#pragma once

#include <algorithm>
#include <string>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/principal.h"

namespace talon {

struct CallContext {
  Principal principal;
  SteadyTime deadline = SteadyTime::max();  // max() = none
  CancelToken cancel;
  std::string trace_id;  // turn id where there is one

  // The same context that ends no later than `until`.
  CallContext Until(SteadyTime until) const {
    CallContext narrowed = *this;
    narrowed.deadline = std::min(deadline, until);
    return narrowed;
  }
};

}  // namespace talon
