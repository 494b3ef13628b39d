// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/json.h"

namespace talon {
namespace {
constexpr std::size_t kShortest = 6;
constexpr std::string_view kMark = "[redacted]";

struct Span {
  std::size_t begin;
  std::size_t end;
};

// Overlapping occurrences count too, so that no rest of one stays beside the mark.
void FindAll(std::string_view text, std::string_view value, std::vector<Span>& spans) {
  for (std::size_t at = text.find(value); at != std::string_view::npos;
       at = text.find(value, at + 1)) {
    spans.push_back({at, at + value.size()});
  }
}
}  // namespace

struct Redactor::State {
  std::atomic<bool> any = false;
  mutable std::shared_mutex mutex;
  std::vector<std::string> values;  // guarded by mutex

  // Under mutex.
  void Add(std::string_view value) {
    if (std::find(values.begin(), values.end(), value) == values.end()) values.emplace_back(value);
  }
};

Redactor::Redactor() : state_(std::make_unique<State>()) {}
Redactor::~Redactor() = default;

void Redactor::Register(const Secret& secret) {
  const std::string& value = secret.Reveal();
  if (value.size() < kShortest) return;
  std::string quoted;  // as it looks inside JSON
  AppendJsonString(quoted, value);
  std::unique_lock lock(state_->mutex);
  state_->Add(value);
  state_->Add(std::string_view(quoted).substr(1, quoted.size() - 2));
  state_->any.store(true, std::memory_order_release);
}

std::string Redactor::Redact(std::string_view text) const {
  if (!state_->any.load(std::memory_order_acquire)) return std::string(text);
  std::vector<Span> spans;
  {
    std::shared_lock lock(state_->mutex);
    for (const std::string& value : state_->values) FindAll(text, value, spans);
  }
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::string out;
  std::size_t done = 0;  // everything before it is in `out` or replaced
  for (std::size_t i = 0; i < spans.size();) {
    out.append(text.substr(done, spans[i].begin - done)).append(kMark);
    for (done = spans[i].end; i < spans.size() && spans[i].begin < done; ++i) {
      done = std::max(done, spans[i].end);
    }
  }
  return out.append(text.substr(done));
}

}  // namespace talon
