// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <re2/re2.h>
#include <sys/stat.h>

#include <algorithm>

#include "files/tools.h"
#include "files/walk.h"
#include "talon/sdk/text.h"

namespace talon::plugins {
namespace {

constexpr std::size_t kMaxLineBytes = 240;        // of a line that is shown
constexpr std::size_t kMaxPatternBytes = 4096;    // of a query
constexpr std::int64_t kPatternMemory = 8 << 20;  // of a compiled pattern

RE2::Options PatternOptions(bool regex) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  options.set_never_nl(true);  // a match stays within its line
  options.set_literal(!regex);
  return options;
}

class Search {
 public:
  Search(const Files& files, const RE2& pattern, const sdk::CallInfo& call)
      : files_(files), pattern_(pattern), call_(call) {}

  // False once enough has been found.
  bool File(const std::string& path, std::uint64_t size) {
    if (++files_seen_ > files_.limits.max_search_files) return false;
    if (size > files_.limits.max_search_file_bytes) {
      ++skipped_;
      return true;
    }
    const auto text = ReadWhole(files_.workspace, path, files_.limits.max_search_file_bytes);
    if (!text.ok() || sdk::LooksBinary(*text)) {
      ++skipped_;
      return true;
    }
    Lines(path, *text);
    return !full() && !call_.cancelled();
  }

  sdk::Result Finish(const WalkOutcome& walk) {
    if (call_.cancelled()) return sdk::Result::Error("search: cancelled");
    std::string notes;
    if (full()) notes += " cut: narrow the query or path;";
    if (files_seen_ > files_.limits.max_search_files || walk.cut)
      notes += " too many files: narrow the path;";
    if (skipped_ > 0)
      notes += fmt::format(" {} binary, large or unreadable files skipped;", skipped_);
    if (walk.unreadable > 0) notes += fmt::format(" {} folders not readable;", walk.unreadable);
    if (!notes.empty()) notes.back() = ']';
    if (matches_ == 0)
      return sdk::Result::Text("no matches" + (notes.empty() ? "" : " [" + notes.substr(1)));
    if (!notes.empty()) out_ += "[" + notes.substr(1);
    return sdk::Result::Text(std::move(out_));
  }

 private:
  bool full() const {
    return matches_ >= files_.limits.max_matches ||
           out_.size() >= files_.limits.max_search_result_bytes;
  }

  void Lines(const std::string& path, std::string_view text) {
    std::size_t from = 0, line = 1, counted = 0;
    re2::StringPiece match;
    const re2::StringPiece all(text.data(), text.size());
    while (from < text.size() && !full() &&
           pattern_.Match(all, from, text.size(), RE2::UNANCHORED, &match, 1)) {
      const auto at = static_cast<std::size_t>(match.data() - text.data());
      if (at >= text.size()) break;  // an empty match behind the last line
      line += static_cast<std::size_t>(std::count(text.begin() + static_cast<long>(counted),
                                                  text.begin() + static_cast<long>(at), '\n'));
      counted = at;
      const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
      const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
      const std::size_t end = std::min(text.find('\n', at), text.size());
      Add(path, line, text.substr(start, end - start), at - start);
      from = end + 1;
    }
  }

  void Add(const std::string& path, std::size_t number, std::string_view line, std::size_t at) {
    ++matches_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::string_view shown = line;
    // A long line is shown around the match.
    if (line.size() > kMaxLineBytes) {
      std::size_t start = at > kMaxLineBytes / 2 ? at - kMaxLineBytes / 2 : 0;
      while (start > 0 && (static_cast<unsigned char>(line[start]) & 0xC0) == 0x80) --start;
      shown = sdk::TruncateUtf8(line.substr(start), kMaxLineBytes);
    }
    out_ +=
        fmt::format("{}:{}:{}{}\n", path, number, shown.data() == line.data() ? "" : "…", shown);
  }

  const Files& files_;
  const RE2& pattern_;
  const sdk::CallInfo& call_;
  std::string out_;
  std::size_t matches_ = 0, files_seen_ = 0, skipped_ = 0;
};

}  // namespace

sdk::Result SearchTool(const Files& files, const sdk::Args& args, const sdk::CallInfo& call) {
  const auto path = files.workspace.Relative(args.String("path"));
  if (!path.ok()) return sdk::Result::Error(path.status());
  const std::string query = args.String("query");
  if (query.empty() || query.size() > kMaxPatternBytes) {
    return sdk::Result::Error(fmt::format("query must have 1 to {} bytes", kMaxPatternBytes));
  }
  // Line by line as people expect: ^ and $ stand for the ends of a line.
  const bool regex = args.Bool("regex");
  const RE2 pattern(regex ? "(?m)" + query : query, PatternOptions(regex));
  if (!pattern.ok()) {
    return sdk::Result::Error(fmt::format("query is no RE2 pattern: {}", pattern.error()));
  }

  Search search(files, pattern, call);
  const auto file = files.workspace.OpenFile(*path, O_PATH);
  if (!file.ok()) return sdk::Result::Error(file.status());
  struct stat info = {};
  if (fstat(file->get(), &info) != 0) return sdk::Result::Error(sdk::PathError(errno, *path));
  if (S_ISREG(info.st_mode)) {
    search.File(*path, static_cast<std::uint64_t>(info.st_size));
    return search.Finish({});
  }
  const auto outcome =
      Walk(files.workspace, *path, files.limits.max_depth, [&](const Entry& entry) {
        if (entry.kind != EntryKind::kFile) return !call.cancelled();
        return search.File(entry.path, entry.size);
      });
  if (!outcome.ok()) return sdk::Result::Error(outcome.status());
  return search.Finish(*outcome);
}

}  // namespace talon::plugins
