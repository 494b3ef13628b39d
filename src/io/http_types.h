// SPDX-License-Identifier: Apache-2.0
// What the HTTP client and the server share. Plain data, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talon::io {

// In order of appearance; names compare without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> items) : items_(items) {}
  void Add(std::string name, std::string value);
  // Replaces every header of that name.
  void Set(std::string name, std::string value);
  // The first value, or empty.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

std::string PercentEncode(std::string_view text);
// Invalid escapes stay as they are. '+' stays '+'.
std::string PercentDecode(std::string_view text);

}  // namespace talon::io
