// SPDX-License-Identifier: Apache-2.0
// Finds the recorded exchange that a request belongs to. Pure functions.
#pragma once

#include <string_view>

#include "base/json.h"
#include "io/http_server.h"
#include "script.h"

namespace talon::mockllm {

// Whether `request` (its body parsed as `body`) has all that was recorded of it.
bool Fits(const Exchange& exchange, const io::ServerRequest& request, const Json& body);

// Whether `whole` has every member of `part` with the same value, at any depth. Arrays must have
// the same length; numbers compare by value.
bool Includes(const Json& whole, const Json& part);

}  // namespace talon::mockllm
