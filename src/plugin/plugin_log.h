// SPDX-License-Identifier: Apache-2.0
// What a plugin said on stderr and what became of it, kept for `talon plugins logs`: the last lines
// in memory and a file that starts again when it is full, with one predecessor. Secrets are
// redacted before a line is kept. Owned by the host, shared with the plugin's processes; it
// outlives reloads. Loop's thread; files on its workers.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "io/nursery.h"
#include "io/one_shot.h"
#include "io/task.h"
#include "plugin/options.h"
#include "plugin/stderr_log.h"

namespace talon::io {
class Loop;
}

namespace talon::plugin {

struct LogLine {
  std::string time;   // RFC 3339
  std::string level;  // debug, info, warn, error; talon for what the daemon did
  std::string text;
};

// Who waits for lines. Falls behind by at most HostOptions::max_log_lines; older ones are left out.
class LogFollower {
 public:
  // Those since the last call; waits for one. Empty when there are none and
  // `cancel` came or the log has ended. One
  // waiter.
  io::Task<std::vector<LogLine>> Next(CancelToken cancel);

 private:
  friend class PluginLog;
  explicit LogFollower(std::size_t most) : most_(most) {}
  void Wake();
  const std::size_t most_;
  std::deque<LogLine> lines_;
  bool ended_ = false;
  std::shared_ptr<io::OneShot<bool>> wake_;
};

class PluginLog {
 public:
  // `path` empty keeps no file. `clock`, `options` and `redactor` must outlive it.
  PluginLog(io::Loop& loop, const Clock& clock, const HostOptions& options,
            const Redactor& redactor, std::string plugin, std::string path);
  // Ends those who follow. Close() is due before.
  ~PluginLog();
  PluginLog(const PluginLog&) = delete;
  PluginLog& operator=(const PluginLog&) = delete;

  // Takes the end of the file of an earlier daemon as the first lines. Once, before Add.
  io::Task<void> Open();
  // A line of stderr: also to the daemon's log, at the level StderrLine gives it.
  void Add(const StderrLine& line);
  // What the daemon did with the plugin; to the kept lines only.
  void Note(std::string_view text);
  std::string Redact(std::string_view text) const { return redactor_.Redact(text); }

  // At most `most`, oldest first.
  std::vector<LogLine> Last(std::size_t most) const;
  std::shared_ptr<LogFollower> Follow();
  // Ends when all is written.
  io::Task<void> Close();

 private:
  void Keep(LogLine line);
  io::Task<void> WriteOut();

  io::Loop& loop_;
  const Clock& clock_;
  const HostOptions& options_;
  const Redactor& redactor_;
  const std::string plugin_, path_;
  std::deque<LogLine> lines_;  // at most max_log_lines
  std::vector<std::weak_ptr<LogFollower>> followers_;
  std::string unwritten_;  // at most kMaxUnwritten
  bool opened_ = false;
  bool writing_ = false;
  io::Nursery tasks_;  // the writing
};

}  // namespace talon::plugin
