// SPDX-License-Identifier: Apache-2.0
// The calls that a text tells its reader to make, in any dialect a model might follow: `call TOOL
// {json}` in prose, JSON call objects, XML-like tags, bracket tags, code blocks, Action/Action
// Input. Text broken by the guard's marks is read as well: a hijacked model would. Pure function.
#pragma once

#include <string_view>
#include <vector>

#include "script.h"

namespace talon::mockllm {

// In order of appearance, at most 8.
std::vector<Call> FindCalls(std::string_view text);

}  // namespace talon::mockllm
