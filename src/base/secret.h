// SPDX-License-Identifier: Apache-2.0
// A value that must not be printed, and the one redactor that removes registered values from text
// that leaves the process. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace talon {

// Holds a secret; formats and dumps as "[redacted]". Reveal() at the last hop only.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string value_;
};

// Replaces every registered value by "[redacted]". Values under 6 bytes are not registered: they
// would blank ordinary words.
class Redactor {
 public:
  Redactor();
  ~Redactor();
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;
  void Register(const Secret& secret);
  std::string Redact(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace talon
