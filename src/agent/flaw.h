// SPDX-License-Identifier: Apache-2.0
// What can be wrong with an answer so that the model is asked again: nothing is in it, or a call's
// arguments are no JSON object. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/types.h"

namespace talon::agent {

// Kinds of flaw: the `kind` of the repair's record and the prompt that asks again.
inline constexpr std::string_view kEmptyAnswer = "empty_answer";
inline constexpr std::string_view kMalformedCall = "malformed_call";

struct Flaw {
  std::string_view kind;
  // Of a malformed call, in the model's words: for the record, never for a prompt of ours.
  std::string tool, problem;
};

// nullopt for an answer that can be taken, and for one a provider's filter cut.
std::optional<Flaw> FindFlaw(const model::ChatResponse& response);

}  // namespace talon::agent
