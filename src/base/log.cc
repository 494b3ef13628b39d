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

std::string Line(Level level, std::string_view message, Fields fields, bool json) {
  const std::string time = FormatTime(SystemClock().Now());
  const std::string_view name = kNames[static_cast<int>(level)];
  std::string line;
  if (json) {
    line = R"({"time":")" + time + R"(","level":")" + std::string(name) + R"(","message":)";
    AppendJsonString(line, message);
    for (const Field& field : fields) {
      line += ',';
      AppendJsonString(line, field.key);
      line += ':';
      AppendJsonString(line, field.value);
    }
    return line + "}";
  }
  line = time + " " + std::string(name) + " " + std::string(message);
  for (const Field& field : fields) {
    line += " " + std::string(field.key) + "=";
    // Quoted when a reader could mistake where the value ends; control characters never pass.
    if (field.value.find_first_of(" \"=\\") != std::string::npos ||
        std::any_of(field.value.begin(), field.value.end(),
                    [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
      AppendJsonString(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

}  // namespace

void Configure(Level level, Format format, const Redactor* redactor) {
  Sink& sink = TheSink();
  sink.level = level;
  sink.redactor = redactor;
  sink.json = format == Format::kJson ||
              (format == Format::kAuto && ::isatty(STDERR_FILENO) == 0);
}

void SetLevel(Level level) { TheSink().level = level; }

bool Enabled(Level level) { return level >= TheSink().level.load(std::memory_order_relaxed); }

void Write(Level level, std::string_view message, Fields fields) {
  if (!Enabled(level)) return;
  Sink& sink = TheSink();
  std::string line = Line(level, message, fields, sink.json);
  if (const Redactor* redactor = sink.redactor) line = redactor->Redact(line);
  sink.logger.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace talon::log
