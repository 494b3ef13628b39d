// SPDX-License-Identifier: Apache-2.0
#include "plugin/plugin_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "io/loop.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxUnwritten = 256 << 10;  // while the disk is slow; more is not in the file
constexpr std::size_t kTailBytes = 64 << 10;      // of an earlier daemon's file
constexpr std::string_view kDaemonLevel = "talon";

std::string_view LevelName(log::Level level) {
  switch (level) {
    case log::Level::kDebug:
      return "debug";
    case log::Level::kWarn:
      return "warn";
    case log::Level::kError:
      return "error";
    default:
      return "info";
  }
}

// One line of the file; the text has no newline.
std::string FileLine(const LogLine& line) {
  return fmt::format("{} {} {}\n", line.time, line.level, line.text);
}

std::deque<LogLine> ParseLines(std::string_view text, std::size_t most) {
  std::deque<LogLine> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t first = line.find(' ');
    const std::size_t second = first == line.npos ? first : line.find(' ', first + 1);
    if (second == line.npos) continue;
    lines.push_back({std::string(line.substr(0, first)),
                     std::string(line.substr(first + 1, second - first - 1)),
                     RepairUtf8(line.substr(second + 1))});
    if (lines.size() > most) lines.pop_front();
  }
  return lines;
}

// The end of a file, from the beginning of a line; empty when it cannot be read. Blocks.
std::string ReadTail(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return "";
  struct stat info{};
  std::string text;
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    const auto size = static_cast<std::size_t>(info.st_size);
    const std::size_t from = size > kTailBytes ? size - kTailBytes : 0;
    text.resize(size - from);
    const ssize_t count = ::pread(fd, text.data(), text.size(), static_cast<off_t>(from));
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    if (from > 0) text.erase(0, text.find('\n') + 1);
  }
  ::close(fd);
  return text;
}

// Logs are worth no error: what cannot be written is not there. Blocks.
void Append(const std::string& path, const std::string& text, std::size_t max_bytes) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 &&
      static_cast<std::size_t>(info.st_size) + text.size() > max_bytes) {
    (void)std::rename(path.c_str(), (path + ".1").c_str());
  }
  (void)MakeDirectories(std::filesystem::path(path).parent_path().string());
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  (void)!::write(fd, text.data(), text.size());
  ::close(fd);
}

}  // namespace

void LogFollower::Wake() {
  if (wake_ != nullptr) std::exchange(wake_, nullptr)->Set(true);
}

io::Task<std::vector<LogLine>> LogFollower::Next(CancelToken cancel) {
  while (lines_.empty() && !ended_ && !cancel.cancelled()) {
    const auto wake = std::make_shared<io::OneShot<bool>>();
    wake_ = wake;
    const auto registration = cancel.OnCancel([wake] { wake->Set(false); });
    co_await wake->Wait();
  }
  std::vector<LogLine> lines(std::make_move_iterator(lines_.begin()),
                             std::make_move_iterator(lines_.end()));
  lines_.clear();
  co_return lines;
}

PluginLog::PluginLog(io::Loop& loop, const Clock& clock, const HostOptions& options,
                     const Redactor& redactor, std::string plugin, std::string path)
    : loop_(loop),
      clock_(clock),
      options_(options),
      redactor_(redactor),
      plugin_(std::move(plugin)),
      path_(std::move(path)),
      tasks_(loop) {}

PluginLog::~PluginLog() {
  for (const auto& each : followers_) {
    if (const auto follower = each.lock()) {
      follower->ended_ = true;
      follower->Wake();
    }
  }
}

io::Task<void> PluginLog::Open() {
  if (path_.empty() || std::exchange(opened_, true)) co_return;
  lines_ = ParseLines(co_await loop_.Blocking([path = path_] { return ReadTail(path); }),
                      options_.max_log_lines);
}

void PluginLog::Add(const StderrLine& line) {
  if (log::Enabled(line.level)) {
    log::Write(line.level, "plugin stderr", {{"plugin", plugin_}, {"text", line.text}});
  }
  Keep({FormatTime(clock_.Now()), std::string(LevelName(line.said)), Redact(line.text)});
}

void PluginLog::Note(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Keep({FormatTime(clock_.Now()), std::string(kDaemonLevel), Redact(text.substr(0, end))});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void PluginLog::Keep(LogLine line) {
  std::erase_if(followers_, [](const auto& each) { return each.expired(); });
  for (const auto& each : followers_) {
    const auto follower = each.lock();
    if (follower->lines_.size() >= follower->most_) follower->lines_.pop_front();
    follower->lines_.push_back(line);
    follower->Wake();
  }
  if (!path_.empty() && unwritten_.size() < kMaxUnwritten) {
    unwritten_ += FileLine(line);
    if (!std::exchange(writing_, true)) tasks_.Spawn(WriteOut());
  }
  if (lines_.size() >= options_.max_log_lines) lines_.pop_front();
  lines_.push_back(std::move(line));
}

io::Task<void> PluginLog::WriteOut() {
  while (!unwritten_.empty()) {
    co_await loop_.Blocking(
        [path = path_, text = std::exchange(unwritten_, {}), most = options_.max_log_file.value] {
          Append(path, text, most);
          return true;
        });
  }
  writing_ = false;
}

std::vector<LogLine> PluginLog::Last(std::size_t most) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, lines_.size()));
  return {lines_.end() - count, lines_.end()};
}

std::shared_ptr<LogFollower> PluginLog::Follow() {
  std::shared_ptr<LogFollower> follower(new LogFollower(options_.max_log_lines));
  followers_.push_back(follower);
  return follower;
}

io::Task<void> PluginLog::Close() {
  co_await tasks_.Join();
}

}  // namespace talon::plugin
