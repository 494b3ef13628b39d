// SPDX-License-Identifier: Apache-2.0
// Fits a conversation into a token budget before it is sent. Deterministic: whole exchanges fall
// out at the old end, a call is never parted from its result, oversized results of the current
// exchange are cut in the middle, and what the person said last goes last. Pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/types.h"

namespace talon::agent {

using TokenCount = std::function<std::int64_t(const model::Message&)>;

struct Window {
  std::vector<model::Message> messages;
  std::int64_t tokens = 0;
  std::size_t dropped = 0;  // messages left out
  std::size_t cut = 0;      // messages shortened
};

// `history` is oldest first; its messages are copied only when they are kept. Results follow their
// calls: a call without one gets "[no result]", a result without its call is dropped, so that every
// wire accepts what comes out. Ids need to differ within one answer only.
Window FitWindow(const std::vector<const model::Message*>& history, std::int64_t budget,
                 const TokenCount& count);

}  // namespace talon::agent
