// SPDX-License-Identifier: Apache-2.0
// Shortens messages that are too large for their room together. The room is divided: what is small
// stays whole, what is large is cut in its middle to an equal share, in this order: tool results
// and the arguments of calls; images; then everything. Each cut says how much is missing and where
// the whole is kept, so that the model can read it. Deterministic; pure functions but for
// `KeepWhole`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/types.h"

namespace talon::agent {

using TokenCount = std::function<std::int64_t(const model::Message&)>;
// Keeps the whole text of a part that is about to be cut; returns the handle artifact__read takes,
// empty when it cannot be kept. May be asked for the same part again.
using KeepWhole = std::function<std::string(const model::Message& message, std::size_t part)>;

// A message as it is to be sent, and as it was.
struct Shortenable {
  model::Message* message;
  const model::Message* original;
  std::int64_t tokens = 0;  // of `message`; kept up to date
};

// Returns the tokens of all of them afterwards; more than `room` only when even the least that is
// left of each does not fit.
std::int64_t Shorten(std::vector<Shortenable>& messages, std::int64_t room, const TokenCount& count,
                     const KeepWhole& keep);

// The bytes of a text, result or arguments; nothing for other parts.
const std::string* TextOfPart(const model::Part& part);

}  // namespace talon::agent
