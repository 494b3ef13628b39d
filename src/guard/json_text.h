// SPDX-License-Identifier: Apache-2.0
// Whether a text is JSON, without building anything of it. Any thread.
#pragma once

#include <string_view>

namespace talon::guard {

// One value of RFC 8259 and nothing else, nested at most 128 levels. What strings hold is not
// looked at beyond their escapes: cleaning takes care of it.
bool IsJson(std::string_view text);

}  // namespace talon::guard
