// SPDX-License-Identifier: Apache-2.0
// What tools and tasks may be called. Internal to the SDK.
#pragma once

#include <algorithm>
#include <string_view>

namespace talon::sdk {

// ^[a-zA-Z0-9_-]{1,48}$
inline bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 48 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

}  // namespace talon::sdk
