// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace talon {
namespace {
constexpr std::size_t kShortest = 6;
constexpr std::string_view kMark = "[redacted]";
}  // namespace

struct Redactor::State {
  std::atomic<bool> any = false;
  mutable std::shared_mutex mutex;
  std::vector<std::string> values;  // guarded by mutex; longest first
};

Redactor::Redactor() : state_(std::make_unique<State>()) {}
Redactor::~Redactor() = default;

void Redactor::Register(const Secret& secret) {
  const std::string& value = secret.Reveal();
  if (value.size() < kShortest) return;
  std::unique_lock lock(state_->mutex);
  auto& values = state_->values;
  if (std::find(values.begin(), values.end(), value) != values.end()) return;
  values.insert(std::find_if(values.begin(), values.end(),
                             [&](const std::string& v) { return v.size() < value.size(); }),
                value);
  state_->any.store(true, std::memory_order_release);
}

std::string Redactor::Redact(std::string_view text) const {
  std::string out(text);
  if (!state_->any.load(std::memory_order_acquire)) return out;
  std::shared_lock lock(state_->mutex);
  for (const std::string& value : state_->values) {
    for (std::size_t at = out.find(value); at != std::string::npos;
         at = out.find(value, at + kMark.size())) {
      out.replace(at, value.size(), kMark);
    }
  }
  return out;
}

}  // namespace talon
