// SPDX-License-Identifier: Apache-2.0
// Fits a conversation into a token budget before it is sent. Deterministic: whole exchanges fall
// out at the old end, a call is never parted from its result, what is too large in the current
// exchange is shortened (shorten.h), and what the person said last goes last. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/shorten.h"
#include "model/types.h"

namespace talon::agent {

struct Window {
  std::vector<model::Message> messages;
  std::int64_t tokens = 0;
  std::size_t dropped = 0;         // messages left out
  std::size_t cut = 0;             // messages shortened
  std::size_t cut_user_bytes = 0;  // of the person's longest message that was, before that
};

// `history` is oldest first; its messages are copied only when they are kept. Results follow their
// calls: a call without one gets "[no result]", a result without its call is dropped, so that every
// wire accepts what comes out. Ids need to differ within one answer only.
Window FitWindow(const std::vector<const model::Message*>& history, std::int64_t budget,
                 const TokenCount& count, const KeepWhole& keep);

}  // namespace talon::agent
