// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

namespace talon::log {
namespace {

struct Sink {
  std::atomic<Level> level = Level::kInfo;
  std::atomic<const Redactor*> redactor = nullptr;
  std::atomic<bool> json = false;
  spdlog::logger logger{"talon", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  Sink() {
    logger.set_level(spdlog::level::trace);
    logger.set_pattern("%v");
    logger.flush_on(spdlog::level::trace);
    json = ::isatty(STDERR_FILENO) == 0;
  }
};

// The process's stderr is one; so is this.
Sink& TheSink() {
  static Sink* sink = new Sink();
  return *sink;
}

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "off"};

// Redacted before anything is escaped, else an escaped secret would not be found.
std::string Clean(const Redactor* redactor, std::string_view text) {
  return RepairUtf8(redactor != nullptr ? redactor->Redact(text) : std::string(text));
}

// DEL and the C1 controls, which JSON leaves alone and terminals may obey, as \u00XX. Of valid
// UTF-8.
std::string EscapeLateControls(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte != 0x7F && !c1) {
      out += text[i];
      continue;
    }
    if (c1) ++i;
    out.append("\\u00").append(HexEncode(text.substr(i, 1)));
  }
  return out;
}

// `text` as a JSON string, with or without its quotes, that cannot end a line or drive a terminal.
std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(quoted, text);
  return EscapeLateControls(quoted);
}

std::string Escaped(std::string_view text) {
  const std::string quoted = Quoted(text);
  return quoted.substr(1, quoted.size() - 2);
}

bool NeedsQuotes(std::string_view value) {
  return value.find_first_of(" \"=\\") != std::string_view::npos || Escaped(value) != value;
}

std::string Line(Level level, std::string_view message, Fields fields, bool json,
                 const Redactor* redactor) {
  const std::string time = FormatTime(SystemClock().Now());
  const std::string_view name = kNames[static_cast<int>(level)];
  std::string line;
  if (json) {
    line = R"({"time":")" + time + R"(","level":")" + std::string(name) + R"(","message":)";
    line += Quoted(Clean(redactor, message));
    for (const Field& field : fields) {
      line += ',' + Quoted(field.key) + ':' + Quoted(Clean(redactor, field.value));
    }
    return line + "}";
  }
  line = time + " " + std::string(name) + " " + Escaped(Clean(redactor, message));
  for (const Field& field : fields) {
    const std::string value = Clean(redactor, field.value);
    // Quoted when a reader could mistake where the value ends.
    line += " " + Escaped(field.key) + "=" + (NeedsQuotes(value) ? Quoted(value) : value);
  }
  return line;
}

}  // namespace

void Configure(Level level, Format format, const Redactor* redactor) {
  Sink& sink = TheSink();
  sink.level = level;
  sink.redactor = redactor;
  sink.json = format == Format::kJson || (format == Format::kAuto && ::isatty(STDERR_FILENO) == 0);
}

void SetLevel(Level level) {
  TheSink().level = level;
}

bool Enabled(Level level) {
  return level >= TheSink().level.load(std::memory_order_relaxed);
}

void Write(Level level, std::string_view message, Fields fields) {
  if (!Enabled(level)) return;
  Sink& sink = TheSink();
  const std::string line = Line(level, message, fields, sink.json, sink.redactor);
  sink.logger.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace talon::log
