// SPDX-License-Identifier: Apache-2.0
#include "examples/notify_file/notify_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

extern char** environ;

namespace talon::examples {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::milliseconds kLongestCommand{20'000};

std::string_view NameOf(sdk::NotifyLevel level) {
  switch (level) {
    case sdk::NotifyLevel::kUrgent:
      return "urgent";
    case sdk::NotifyLevel::kWarning:
      return "warning";
    default:
      return "info";
  }
}

std::string Replaced(std::string text, std::string_view mark, std::string_view value) {
  const std::size_t at = text.find(mark);
  if (at != std::string::npos) text.replace(at, mark.size(), value);
  return text;
}

absl::Status AppendLine(const std::string& path, const std::string& line) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::UnavailableError(fmt::format("'{}': {}", path, std::strerror(errno)));
  }
  const ssize_t n = write(fd, line.data(), line.size());
  const bool kept = n == static_cast<ssize_t>(line.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (kept) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("'{}': {}", path, std::strerror(error)));
}

// Its exit code, or -1 when it had to be ended.
int WaitFor(pid_t pid, std::chrono::milliseconds limit) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
  pollfd wait = {fd, POLLIN, 0};
  const bool ended = fd >= 0 && poll(&wait, 1, static_cast<int>(limit.count())) == 1;
  if (!ended) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  if (fd >= 0) close(fd);
  return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

NotifyFile::NotifyFile()
    : Plugin({.name = "notify_file",
              .version = "1.0.0",
              .description = "Writes messages to a file and shows them by a command.",
              .config = sdk::Object()
                            .Optional("file", sdk::String("default: `notifications.jsonl` in the "
                                                          "plugin's data folder"))
                            .Optional("command", sdk::ArrayOf(sdk::String(),
                                                              "program and arguments; {title}, "
                                                              "{text}, {level} are replaced"))}),
      NotificationChannel({.max_text_bytes = 16u << 10, .recipients = true}) {}

absl::Status NotifyFile::Configure(const sdk::Args& config, const sdk::Folders& folders) {
  path_ = config.String("file", folders.data + "/notifications.jsonl");
  command_ = config.Strings("command");
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object()) delivered_.insert(json.value("id", ""));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NotifyFile::Notify(const sdk::Notification& notification,
                                               const sdk::CallInfo& call) {
  const std::lock_guard lock(mutex_);
  if (delivered_.contains(notification.id)) return notification.id;
  // Shown before it is written: a command that fails is tried again.
  if (absl::Status shown = RunCommand(notification, call); !shown.ok()) return shown;
  const Json line = {{"id", notification.id},        {"level", NameOf(notification.level)},
                     {"title", notification.title},  {"text", notification.text},
                     {"to", notification.recipient}, {"session", notification.session_id}};
  const auto replace = Json::error_handler_t::replace;
  absl::Status kept = AppendLine(path_, line.dump(-1, ' ', false, replace) + "\n");
  if (!kept.ok()) return kept;
  delivered_.insert(notification.id);
  return notification.id;
}

absl::Status NotifyFile::RunCommand(const sdk::Notification& notification,
                                    const sdk::CallInfo& call) const {
  if (command_.empty()) return absl::OkStatus();
  std::vector<std::string> words;
  for (const std::string& word : command_) {
    // One mark a word, so that what a message says is never read as another mark.
    if (word.find("{text}") != std::string::npos) {
      words.push_back(Replaced(word, "{text}", notification.text));
    } else if (word.find("{title}") != std::string::npos) {
      words.push_back(Replaced(word, "{title}", notification.title));
    } else {
      words.push_back(Replaced(word, "{level}", NameOf(notification.level)));
    }
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::FailedPreconditionError(
        fmt::format("command '{}': {}", command_[0], std::strerror(error)));
  }
  const int code = WaitFor(pid, call.TimeLeft(kLongestCommand));
  if (code == 0) return absl::OkStatus();
  return absl::UnavailableError(code < 0
                                    ? fmt::format("command '{}' did not end in time", command_[0])
                                    : fmt::format("command '{}' ended with {}", command_[0], code));
}

}  // namespace talon::examples
