// SPDX-License-Identifier: Apache-2.0
#include "shell/shell_plugin.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>

#include "shell/command.h"
#include "talon/sdk/text.h"
#include "talon/sdk/workspace.h"

namespace talon::plugins {
namespace {

using sdk::Args;
using sdk::CallInfo;
using sdk::Integer;
using sdk::Object;
using sdk::Result;
using sdk::String;
using std::chrono::milliseconds;

// The longest timeout_ms that can be asked for; the daemon's deadline is a little above it.
constexpr milliseconds kMaxTimeout{600'000};
// Kept back from the daemon's deadline, so that a command it cuts short is still reported.
constexpr milliseconds kReportTime{250};

struct ShellOptions {
  milliseconds timeout{60'000};                  // of a call that names none
  std::size_t max_output_bytes = 32u << 10;      // kept of each of stdout and stderr
  std::map<std::string, std::string> variables;  // added to the environment
};

sdk::PluginInfo Info() {
  return {.name = "shell",
          .version = "1.0.0",
          .description = "Runs commands in the workspace.",
          .config = Object()
                        .Optional("timeout_ms", Integer())
                        .Optional("max_output_bytes", Integer())
                        .Optional("env", sdk::MapOf(String())),
          // Commands are programs of any size: compilers, test runners.
          .needs = {.workspace = sdk::Access::kWrite, .memory_bytes = 1u << 30, .processes = 256}};
}

std::string Variable(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return fmt::format("{}={}", name, value == nullptr || *value == '\0' ? fallback : value);
}

std::vector<std::string> Environment(const std::string& workspace, const ShellOptions& options) {
  std::vector<std::string> out = {
      Variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
      Variable("HOME", workspace),
      Variable("LANG", "C.UTF-8"),
      Variable("TMPDIR", "/tmp"),
  };
  for (const auto& [name, value] : options.variables) {
    std::erase_if(out, [&](const std::string& item) { return item.starts_with(name + "="); });
    out.push_back(name + "=" + value);
  }
  return out;
}

void AddStream(std::string& text, std::string_view name, const OutputBuffer& stream, bool named) {
  if (stream.total_bytes() == 0) return;
  if (named) text += fmt::format("{}:\n", name);
  text += stream.Text();
  if (!text.ends_with('\n')) text += '\n';
}

// What the model reads: output first, then how it ended.
std::string Report(const CommandOutcome& outcome) {
  std::string text;
  const bool named = outcome.err.total_bytes() > 0;
  AddStream(text, "stdout", outcome.out, named);
  AddStream(text, "stderr", outcome.err, named);
  switch (outcome.end) {
    case CommandEnd::kExited:
      return text + fmt::format("[exit code {}]", outcome.code);
    case CommandEnd::kSignalled:
      return text + fmt::format("[killed by signal {}: {}]", outcome.code, strsignal(outcome.code));
    case CommandEnd::kTimedOut:
      return text + fmt::format("[killed after {} ms: timed out]", outcome.duration.count());
    case CommandEnd::kCancelled:
      return text + "[killed: cancelled]";
  }
  return text;
}

class ShellPlugin : public sdk::Plugin {
 public:
  ShellPlugin() : Plugin(Info()) {
    AddTool(
        {.name = "run",
         .description = "Run a /bin/sh command in the workspace. Background processes end with it.",
         .schema =
             Object()
                 .Required("command", String())
                 .Optional("timeout_ms", Integer("default 60000").Min(1).Max(kMaxTimeout.count()))
                 .Optional("directory", String()),
         .effect = sdk::Effect::kExec,
         .sink_arguments = {"command", "directory"},
         .timeout = kMaxTimeout + milliseconds(5'000),
         .handler = [this](const Args& args, const CallInfo& call) { return Run(args, call); }});
  }

  absl::Status Configure(const Args& config, const sdk::Folders& folders) override {
    absl::StatusOr<sdk::Workspace> workspace = sdk::Workspace::Open(folders.workspace);
    if (!workspace.ok()) return workspace.status();
    options_.timeout = milliseconds(config.Int("timeout_ms", options_.timeout.count()));
    if (options_.timeout.count() < 1 || options_.timeout > kMaxTimeout) {
      return absl::InvalidArgumentError(
          fmt::format("timeout_ms must be 1 to {}", kMaxTimeout.count()));
    }
    const long bytes = config.Int("max_output_bytes", static_cast<long>(options_.max_output_bytes));
    if (bytes < 64 || bytes > 1 << 20) {
      return absl::InvalidArgumentError("max_output_bytes must be 64 to 1048576");
    }
    options_.max_output_bytes = static_cast<std::size_t>(bytes);
    options_.variables = config.StringMap("env");
    workspace_.emplace(*std::move(workspace));
    return absl::OkStatus();
  }

 private:
  Result Run(const Args& args, const CallInfo& call) const {
    const auto path = workspace_->Relative(args.String("directory"));
    if (!path.ok()) return Result::Error(path.status());
    const auto folder = workspace_->OpenFolder(*path);
    if (!folder.ok()) return Result::Error(folder.status());
    Command command{.text = args.String("command"),
                    .folder_fd = folder->get(),
                    .environment = Environment(workspace_->folder(), options_),
                    .max_output_bytes = options_.max_output_bytes};
    if (command.text.find('\0') != std::string::npos)
      return Result::Error("command has a NUL byte");
    const milliseconds wish(args.Int("timeout_ms", options_.timeout.count()));
    const milliseconds allowed = std::clamp(wish, milliseconds(1), kMaxTimeout);
    command.timeout = std::max(
        milliseconds(1), std::min(allowed, call.TimeLeft(kMaxTimeout + kReportTime) - kReportTime));
    const absl::StatusOr<CommandOutcome> outcome = RunCommand(command, call);
    if (!outcome.ok()) return Result::Error(outcome.status());
    std::string report = Report(*outcome);
    const bool ended =
        outcome->end == CommandEnd::kExited || outcome->end == CommandEnd::kSignalled;
    return ended ? Result::Text(std::move(report)) : Result::Error(std::move(report));
  }

  ShellOptions options_;  // this and the next are set by Configure, before any handler
  std::optional<sdk::Workspace> workspace_;
};

}  // namespace

std::unique_ptr<sdk::Plugin> MakeShellPlugin() {
  return std::make_unique<ShellPlugin>();
}

}  // namespace talon::plugins
