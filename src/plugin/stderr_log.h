// SPDX-License-Identifier: Apache-2.0
// A plugin's stderr as log lines: go-hclog's JSON and [LEVEL] prefixes are understood, control
// characters are removed, lines are cut, and a flood is counted instead of logged. Its end is kept
// for diagnosis. Nothing a plugin writes there can fail or stop anything. Loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/options.h"

namespace talon::plugin {

// Warnings and errors of a plugin are kInfo for the daemon, the rest is kDebug: nothing a plugin
// says may fill a log by itself.
struct StderrLine {
  log::Level level = log::Level::kDebug;  // for the daemon's log
  log::Level said = log::Level::kInfo;    // what the plugin called it
  std::string text;
};

// Understands one line. `*panicked` is set by a Go panic and makes the untagged lines after it
// errors.
StderrLine ParseStderrLine(std::string_view line, bool* panicked);

class StderrLog {
 public:
  using Sink = std::function<void(const StderrLine&)>;

  StderrLog(const HostOptions& options, Sink sink);
  void Feed(std::string_view bytes, SteadyTime now);
  // Nothing more comes: what has no newline is a line too.
  void Finish(SteadyTime now);
  // The last words, valid UTF-8, at most HostOptions::stderr_tail.
  std::string Tail() const;

 private:
  void EndLine(SteadyTime now);

  const HostOptions& options_;
  Sink sink_;
  std::string line_;  // unfinished, at most max_log_line
  std::string tail_;  // at most twice stderr_tail
  bool panicked_ = false;
  SteadyTime window_start_{};
  std::uint64_t window_bytes_ = 0;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace talon::plugin
