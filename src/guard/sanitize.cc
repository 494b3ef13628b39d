// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "guard/call_syntax.h"
#include "guard/clean_text.h"
#include "guard/guard.h"

namespace talon::guard {
namespace {

constexpr std::string_view kOutputEnd = "\n[/plugin_output]";

constexpr std::array<bool, 256> kOpeners = [] {
  std::array<bool, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    table[byte] = MayOpen(static_cast<unsigned char>(byte));
  }
  return table;
}();

class Marker {
 public:
  explicit Marker(std::string_view text) : text_(text) {}

  std::string Run(std::size_t* marks) {
    MarkAt(FindLineForm(text_, 0));
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (kOpeners[static_cast<unsigned char>(text_[at])]) MarkAt(FindForm(text_, at));
    }
    *marks += marks_;
    out_.append(text_, copied_);
    return std::move(out_);
  }

 private:
  void MarkAt(std::size_t at) {
    if (at == std::string_view::npos || (marks_ > 0 && at <= copied_)) return;
    out_.append(text_, copied_, at - copied_);
    out_ += kMark;
    copied_ = at;
    ++marks_;
  }

  std::string_view text_;
  std::string out_;
  std::size_t copied_ = 0;  // bytes of text_ already in out_
  std::size_t marks_ = 0;
};

// What a name of ours may hold; anything else would be a way out of the header.
std::string NameOnly(std::string_view name) {
  std::string kept;
  for (const char c : name) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    kept += allowed ? c : '_';
  }
  return kept;
}

}  // namespace

std::string SanitizeUntrusted(std::string_view text, std::size_t* removed) {
  std::string storage;
  std::size_t marks = 0;
  std::string safe = Marker(CleanText(text, &storage)).Run(&marks);
  if (removed != nullptr) *removed += marks;
  return safe;
}

std::string WrapPluginOutput(std::string_view plugin, std::string_view tool,
                             std::string_view sanitized) {
  return fmt::format("[plugin_output plugin={} tool={}]\n{}{}", NameOnly(plugin), NameOnly(tool),
                     sanitized, kOutputEnd);
}

std::string_view PluginOutputText(std::string_view wrapped) {
  const std::size_t begin = std::min(wrapped.find('\n'), wrapped.size() - 1) + 1;
  return wrapped.substr(begin, wrapped.rfind(kOutputEnd) - begin);
}

}  // namespace talon::guard
