// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "files/atomic_write.h"
#include "files/tools.h"
#include "talon/sdk/text.h"

namespace talon::plugins {
namespace {

constexpr std::size_t kMaxHints = 3;
constexpr std::size_t kMaxHintBytes = 200;

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::size_t> FindAll(std::string_view text, std::string_view part) {
  std::vector<std::size_t> found;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    found.push_back(at);
  }
  return found;
}

// Line numbers of offsets that ascend: "3, 17, 40".
std::string Lines(std::string_view text, const std::vector<std::size_t>& offsets) {
  std::string out;
  std::size_t line = 1, from = 0;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (i == 10) return out + ", …";
    const std::string_view between = text.substr(from, offsets[i] - from);
    line += static_cast<std::size_t>(std::count(between.begin(), between.end(), '\n'));
    from = offsets[i];
    out += fmt::format("{}{}", out.empty() ? "" : ", ", line);
  }
  return out;
}

// Lines that hold the first line of `old` but for the space around it.
std::string Hints(std::string_view text, std::string_view old) {
  const std::string_view trimmed = Trim(old);
  const std::string_view wanted = Trim(trimmed.substr(0, trimmed.find('\n')));
  std::string out;
  std::size_t number = 0, hints = 0;
  while (!wanted.empty() && !text.empty() && hints < kMaxHints) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    ++number;
    if (line.find(wanted) == std::string_view::npos) continue;
    out += fmt::format("\nline {} is: {}", number, sdk::TruncateUtf8(line, kMaxHintBytes));
    ++hints;
  }
  return out.empty() ? "; no line holds its first line either: read the file first"
                     : "; it must match byte for byte, also in spaces and line ends" + out;
}

std::string WithCarriageReturns(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

std::string Apply(std::string_view text, const std::vector<std::size_t>& offsets,
                  std::size_t old_size, std::string_view fresh) {
  std::string out;
  std::size_t from = 0;
  for (const std::size_t offset : offsets) {
    out += text.substr(from, offset - from);
    out += fresh;
    from = offset + old_size;
  }
  out += text.substr(from);
  return out;
}

}  // namespace

sdk::Result EditTool(const Files& files, const sdk::Args& args) {
  const auto path = files.workspace.Relative(args.String("path"));
  if (!path.ok()) return sdk::Result::Error(path.status());
  std::string old = args.String("old"), fresh = args.String("new");
  if (old.empty()) return sdk::Result::Error("`old` is empty: use write for a whole file");
  if (old == fresh) return sdk::Result::Error("`old` and `new` are the same");
  const auto text = ReadWhole(files.workspace, *path, files.limits.max_edit_bytes);
  if (!text.ok()) return sdk::Result::Error(text.status());
  if (sdk::LooksBinary(*text)) {
    return sdk::Result::Error(fmt::format("'{}': binary file, not edited", *path));
  }

  std::vector<std::size_t> found = FindAll(*text, old);
  const bool crlf = text->find("\r\n") != std::string::npos && old.find('\r') == std::string::npos;
  if (found.empty() && crlf) {
    old = WithCarriageReturns(old);
    fresh = WithCarriageReturns(fresh);
    found = FindAll(*text, old);
  }
  if (found.empty()) {
    return sdk::Result::Error(
        fmt::format("'{}': `old` does not occur{}", *path, Hints(*text, args.String("old"))));
  }
  if (found.size() > 1 && !args.Bool("all")) {
    return sdk::Result::Error(
        fmt::format("'{}': `old` occurs {} times (lines {}): add lines around it, or set `all`",
                    *path, found.size(), Lines(*text, found)));
  }
  if (text->size() + found.size() * fresh.size() > files.limits.max_edit_bytes) {
    return sdk::Result::Error(fmt::format("'{}': would grow beyond the limit of {}", *path,
                                          sdk::HumanSize(files.limits.max_edit_bytes)));
  }
  const auto outcome = AtomicWrite(files.workspace, *path, Apply(*text, found, old.size(), fresh));
  if (!outcome.ok()) return sdk::Result::Error(outcome.status());
  return sdk::Result::Text(
      fmt::format("{}: replaced {} ({} {})", *path,
                  found.size() == 1 ? "1 place" : fmt::format("{} places", found.size()),
                  found.size() == 1 ? "line" : "lines", Lines(*text, found)));
}

}  // namespace talon::plugins
