// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "files/tools.h"
#include "talon/sdk/text.h"

namespace talon::plugins {
namespace {

constexpr std::size_t kChunkBytes = 64u << 10;

absl::StatusOr<std::string_view> ReadChunk(int fd, std::array<char, kChunkBytes>& buffer,
                                           std::string_view path) {
  while (true) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n >= 0) return std::string_view(buffer.data(), static_cast<std::size_t>(n));
    if (errno != EINTR) return sdk::PathError(errno, path);
  }
}

// Takes the lines [first, first + count) out of a stream of chunks, up to a little over max_bytes.
class LineWindow {
 public:
  LineWindow(std::size_t first, std::size_t count, std::size_t max_bytes)
      : first_(first), end_(first + count), max_bytes_(max_bytes) {}

  // False once there is more than is wanted.
  bool Feed(std::string_view chunk) {
    while (!chunk.empty()) {
      if (line_ >= end_ || text_.size() > max_bytes_) return false;
      const std::size_t newline = chunk.find('\n');
      const bool whole = newline != std::string_view::npos;
      const std::string_view part = chunk.substr(0, whole ? newline + 1 : chunk.size());
      if (line_ >= first_) text_ += part.substr(0, max_bytes_ + 1 - text_.size());
      if (whole) ++line_;
      open_line_ = !whole;
      chunk.remove_prefix(part.size());
    }
    return text_.size() <= max_bytes_;
  }

  std::size_t lines_seen() const { return line_ - 1 + (open_line_ ? 1 : 0); }

  // Cuts the text to whole lines within max_bytes; false when its first line alone is too long.
  bool CutToLines() {
    if (text_.size() <= max_bytes_) return true;
    const std::size_t newline = text_.rfind('\n', max_bytes_ - 1);
    const bool found = newline != std::string::npos;
    text_.resize(found ? newline + 1 : sdk::TruncateUtf8(text_, max_bytes_).size());
    return found;
  }
  std::string& text() { return text_; }

 private:
  const std::size_t first_, end_, max_bytes_;
  std::string text_;
  std::size_t line_ = 1;  // the line the next byte belongs to
  bool open_line_ = false;
};

}  // namespace

absl::StatusOr<sdk::Fd> OpenRegular(const sdk::Workspace& workspace, const std::string& path,
                                    std::uint64_t* size) {
  absl::StatusOr<sdk::Fd> fd = workspace.OpenFile(path, O_RDONLY);
  if (!fd.ok()) return fd;
  struct stat info = {};
  if (fstat(fd->get(), &info) != 0) return sdk::PathError(errno, path);
  if (S_ISDIR(info.st_mode)) return sdk::PathError(EISDIR, path);
  if (!S_ISREG(info.st_mode)) return sdk::PathError(ENXIO, path);
  *size = static_cast<std::uint64_t>(info.st_size);
  return fd;
}

absl::StatusOr<std::string> ReadWhole(const sdk::Workspace& workspace, const std::string& path,
                                      std::size_t max_bytes) {
  std::uint64_t size = 0;
  const absl::StatusOr<sdk::Fd> fd = OpenRegular(workspace, path, &size);
  if (!fd.ok()) return fd.status();
  std::string out;
  if (size <= max_bytes) out.reserve(size);
  std::array<char, kChunkBytes> buffer;
  while (true) {
    const absl::StatusOr<std::string_view> chunk = ReadChunk(fd->get(), buffer, path);
    if (!chunk.ok()) return chunk.status();
    if (chunk->empty()) return out;
    if (size > max_bytes || out.size() + chunk->size() > max_bytes) {
      return absl::ResourceExhaustedError(
          fmt::format("'{}': larger than the limit of {}", path, sdk::HumanSize(max_bytes)));
    }
    out += *chunk;
  }
}

sdk::Result ReadTool(const Files& files, const sdk::Args& args, const sdk::CallInfo& call) {
  const auto path = files.workspace.Relative(args.String("path"));
  if (!path.ok()) return sdk::Result::Error(path.status());
  std::uint64_t size = 0;
  const absl::StatusOr<sdk::Fd> fd = OpenRegular(files.workspace, *path, &size);
  if (!fd.ok()) return sdk::Result::Error(fd.status());

  const auto first = static_cast<std::size_t>(std::max(1L, args.Int("offset", 1)));
  const auto most = static_cast<long>(files.limits.max_read_lines);
  const auto count = static_cast<std::size_t>(std::clamp(args.Int("limit", most), 1L, most));
  LineWindow window(first, count, files.limits.max_read_bytes);
  std::array<char, kChunkBytes> buffer;
  std::uint64_t scanned = 0;
  bool more = false;
  while (!more) {
    const absl::StatusOr<std::string_view> chunk = ReadChunk(fd->get(), buffer, *path);
    if (!chunk.ok()) return sdk::Result::Error(chunk.status());
    if (chunk->empty()) break;
    if (scanned == 0 && sdk::LooksBinary(*chunk)) {
      return sdk::Result::Error(
          fmt::format("'{}': binary file of {}, not shown", *path, sdk::HumanSize(size)));
    }
    scanned += chunk->size();
    more = !window.Feed(*chunk);
    if (call.cancelled()) return sdk::Result::Error("read: cancelled");
    if (scanned > files.limits.max_scan_bytes) {
      return sdk::Result::Error(fmt::format("'{}': line {} is not within the first {}", *path,
                                            first, sdk::HumanSize(scanned)));
    }
  }

  if (scanned == 0) return sdk::Result::Text("[empty file]");
  std::string& text = window.text();
  if (text.empty()) {
    return sdk::Result::Error(fmt::format("'{}': has only {} lines", *path, window.lines_seen()));
  }
  if (!window.CutToLines()) {
    text +=
        fmt::format("\n[line {} is too long and was cut; file of {}]", first, sdk::HumanSize(size));
  } else if (more) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    text +=
        fmt::format("[file of {} goes on; next offset {}]", sdk::HumanSize(size), first + lines);
  }
  return sdk::Result::Text(std::move(text));
}

}  // namespace talon::plugins
