// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "guard/call_syntax.h"
#include "guard/clean_text.h"
#include "guard/guard.h"
#include "guard/hidden_form.h"
#include "guard/opener_scan.h"

namespace talon::guard {
namespace {

constexpr std::string_view kBlank = "\u02C6";
constexpr std::string_view kBlanksMarked = " blanks=\u02C6]";

// Appends a text with a mark in each form.
class Marker {
 public:
  Marker(std::string_view text, std::string& out) : text_(text), out_(out) {}

  // The number of marks.
  std::size_t Run(HiddenText hidden) {
    const bool shows = hidden == HiddenText::kShow;
    MarkAt(FindLineForm(text_, 0));
    ForEachOpener(
        text_, shows ? OpenerTables::kAll : OpenerTables::kCalls, [this, shows](std::size_t at) {
          const std::size_t mark = FindForm(text_, at);
          MarkAt(mark == std::string_view::npos && shows ? FindHiddenForm(text_, at) : mark);
        });
    out_.append(text_, copied_);
    return marks_;
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
  std::string& out_;
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

std::size_t AppendSanitized(std::string_view text, HiddenText hidden, std::string& out) {
  std::string storage;
  const std::string_view clean = CleanText(text, &storage);
  out.reserve(out.size() + clean.size() + clean.size() / 32 + 64);
  return Marker(clean, out).Run(hidden);
}

std::string SanitizeUntrusted(std::string_view text, std::size_t* removed, HiddenText hidden) {
  std::string safe;
  const std::size_t marks = AppendSanitized(text, hidden, safe);
  if (removed != nullptr) *removed += marks;
  return safe;
}

std::string PluginOutputHeader(std::string_view plugin, std::string_view tool) {
  return fmt::format("[plugin_output plugin={} tool={}]\n", NameOnly(plugin), NameOnly(tool));
}

std::string WrapPluginOutput(std::string_view plugin, std::string_view tool,
                             std::string_view sanitized) {
  std::string out = PluginOutputHeader(plugin, tool);
  out.reserve(out.size() + sanitized.size() + kPluginOutputEnd.size());
  out += sanitized;
  out += kPluginOutputEnd;
  return out;
}

std::string MarkBlanks(std::string_view wrapped) {
  const std::size_t begin = std::min(wrapped.find('\n'), wrapped.size());
  const std::size_t end =
      std::max(begin, std::min(wrapped.rfind(kPluginOutputEnd), wrapped.size()));
  std::string out(wrapped.substr(0, begin == 0 ? 0 : begin - 1));
  out += kBlanksMarked;
  for (const char c : wrapped.substr(begin, end - begin)) {
    if (c == ' ') {
      out += kBlank;
    } else {
      out += c;
    }
  }
  return out.append(wrapped.substr(end));
}

std::string PluginOutputText(std::string_view wrapped) {
  const std::size_t begin = std::min(wrapped.find('\n'), wrapped.size() - 1) + 1;
  std::string text(wrapped.substr(begin, wrapped.rfind(kPluginOutputEnd) - begin));
  if (!wrapped.substr(0, begin - 1).ends_with(kBlanksMarked)) return text;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool mark = std::string_view(text).substr(at).starts_with(kBlank);
    out += mark ? ' ' : text[at];
    at += mark ? kBlank.size() : 1;
  }
  return out;
}

}  // namespace talon::guard
