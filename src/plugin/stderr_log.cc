// SPDX-License-Identifier: Apache-2.0
#include "plugin/stderr_log.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

constexpr std::chrono::seconds kWindow{1};

void SetLevel(std::string_view name, StderrLine* parsed) {
  const auto is = [&](std::string_view other) { return EqualsIgnoreCase(name, other); };
  const bool loud = is("warn") || is("error");
  parsed->level = loud ? log::Level::kInfo : log::Level::kDebug;
  parsed->said = is("error")                  ? log::Level::kError
                 : is("warn")                 ? log::Level::kWarn
                 : is("debug") || is("trace") ? log::Level::kDebug
                                              : log::Level::kInfo;
}

// Plugins put any type anywhere; hosts that expect strings crash on it.
std::string AsText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : DumpJson(value);
}

bool ParseHclog(std::string_view line, StderrLine* parsed) {
  if (!line.starts_with('{')) return false;
  const auto object = ParseJson(line, "stderr line");
  if (!object.ok() || JsonFind(*object, "@message") == nullptr) return false;
  for (const auto& [key, value] : object->items()) {
    if (key == "@message") {
      parsed->text.insert(0, AsText(value));
    } else if (key == "@level") {
      SetLevel(AsText(value), parsed);
    } else if (key != "@timestamp") {
      parsed->text += fmt::format(" {}={}", key, AsText(value));
    }
  }
  return true;
}

bool ParsePrefix(std::string_view line, StderrLine* parsed) {
  if (!line.starts_with('[')) return false;
  for (const std::string_view level : {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}) {
    if (line.substr(1, level.size()) != level) continue;
    if (line.substr(1 + level.size(), 1) != "]") continue;
    SetLevel(level, parsed);
    parsed->text = TrimSpace(line.substr(level.size() + 2));
    return true;
  }
  return false;
}

}  // namespace

StderrLine ParseStderrLine(std::string_view line, bool* panicked) {
  StderrLine parsed;
  if (!ParseHclog(line, &parsed) && !ParsePrefix(line, &parsed)) {
    if (line.starts_with("panic: ") || line.starts_with("fatal error: ")) *panicked = true;
    parsed.level = *panicked ? log::Level::kInfo : log::Level::kDebug;
    if (*panicked) parsed.said = log::Level::kError;
    parsed.text = line;
  }
  parsed.text = h2::CleanText(parsed.text, parsed.text.size());
  return parsed;
}

StderrLog::StderrLog(const HostOptions& options, Sink sink)
    : options_(options), sink_(std::move(sink)) {}

void StderrLog::Feed(std::string_view bytes, SteadyTime now) {
  const std::size_t keep = options_.stderr_tail.value;
  tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), keep)));
  if (tail_.size() > 2 * keep) tail_.erase(0, tail_.size() - keep);
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    const std::size_t room = options_.max_log_line.value - line_.size();
    line_.append(piece.substr(0, room));
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    EndLine(now);
  }
}

void StderrLog::EndLine(SteadyTime now) {
  const std::string line = std::exchange(line_, {});
  if (now - window_start_ >= kWindow) {
    window_start_ = now;
    window_bytes_ = 0;
    if (dropped_bytes_ > 0) {
      const auto dropped = std::exchange(dropped_bytes_, 0);
      sink_({log::Level::kInfo, log::Level::kWarn,
             fmt::format("({} bytes of its stderr were not logged)", dropped)});
    }
  }
  window_bytes_ += line.size() + 1;
  if (window_bytes_ > options_.max_log_per_second.value) {
    dropped_bytes_ += line.size() + 1;
    return;
  }
  if (!TrimSpace(line).empty()) sink_(ParseStderrLine(line, &panicked_));
}

void StderrLog::Finish(SteadyTime now) {
  if (!line_.empty()) EndLine(now);
}

std::string StderrLog::Tail() const {
  std::string text = RepairUtf8(tail_);
  for (char& c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) c = ' ';
  }
  // The end is what counts; it must not begin inside a character.
  std::size_t begin = text.size() - std::min<std::size_t>(options_.stderr_tail.value, text.size());
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) ++begin;
  return std::string(TrimSpace(std::string_view(text).substr(begin)));
}

}  // namespace talon::plugin
