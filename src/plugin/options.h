// SPDX-License-Identifier: Apache-2.0
// `plugins:` of talon.yaml: which plugin processes there are and how they may run.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/option_limit.h"
#include "base/secret.h"
#include "plugin/sandbox_options.h"

namespace talon::plugin {

// What the operator says of one of a plugin's scheduled tasks.
struct TaskEntry {
  bool enabled = true;
  std::chrono::milliseconds every{0};

  bool operator==(const TaskEntry&) const = default;
  static constexpr auto Fields() {
    using O = TaskEntry;
    return std::make_tuple(
        Option("enabled", &O::enabled, "Whether it runs."),
        Option("every", &O::every, "From the end of one run to the next; 0 = as the plugin says."));
  }
};

// What a plugin's process speaks; kAuto: its handshake tells.
enum class Protocol { kAuto, kTalon, kGoPlugin, kOpenTalon };

constexpr auto EnumNames(Protocol) {
  return std::array{std::pair{std::string_view("auto"), Protocol::kAuto},
                    std::pair{std::string_view("talon"), Protocol::kTalon},
                    std::pair{std::string_view("go-plugin"), Protocol::kGoPlugin},
                    std::pair{std::string_view("opentalon"), Protocol::kOpenTalon}};
}

// kAuto: none on a Unix socket, and no TCP without it.
enum class Mtls { kAuto, kRequired, kOff };

constexpr auto EnumNames(Mtls) {
  return std::array{std::pair{std::string_view("auto"), Mtls::kAuto},
                    std::pair{std::string_view("required"), Mtls::kRequired},
                    std::pair{std::string_view("off"), Mtls::kOff}};
}

struct PluginEntry {
  bool enabled = true;
  std::string plugin;  // path of the program; empty = the bundled plugin of the entry's name
  Protocol protocol = Protocol::kAuto;
  Mtls mtls = Mtls::kAuto;
  std::map<std::string, std::string> cookie;
  std::vector<int> protocol_versions;
  JsonText config;
  std::vector<std::string> args;
  std::map<std::string, Secret> env;
  std::map<std::string, Secret> credentials;
  bool pin = true;
  bool sealed = true;
  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds start_timeout{10'000};
  std::chrono::milliseconds idle_stop{60'000};
  bool expose = false;
  std::map<std::string, TaskEntry> tasks;
  SandboxOptions sandbox;

  bool operator==(const PluginEntry&) const = default;
  static constexpr auto Fields() {
    using O = PluginEntry;
    return std::make_tuple(
        Option("enabled", &O::enabled, "Whether its tools are offered."),
        Option(
            "plugin", &O::plugin,
            "Path of the program, or the bare name of a bundled or example plugin; empty for that "
            "of the entry's name."),
        Option("protocol", &O::protocol,
               "What it speaks: `talon`, `go-plugin` or `opentalon`; `auto` finds out."),
        Option("mtls", &O::mtls,
               "`required`: both ends show a certificate made for this start. `off`: TCP on a "
               "loopback address is taken without. `auto`: TCP only with."),
        Option("cookie", &O::cookie,
               "go-plugin's magic cookie of its application: one name and its value."),
        Option("protocol_versions", &O::protocol_versions, kPositive,
               "go-plugin's protocol versions that are offered to it; empty = 1."),
        Option("config", &O::config, "Passed to the plugin as JSON."),
        Option("args", &O::args, "Arguments of the program."),
        Option("env", &O::env, "Its whole environment besides PATH, HOME, TMPDIR and LANG."),
        Option("credentials", &O::credentials,
               "Secrets it is given when it is configured, by name; never in its environment."),
        Option("pin", &O::pin,
               "Refuse the program of `plugin` once its content differs from that of its first "
               "start, until `talon plugins trust`."),
        Option("sealed", &O::sealed,
               "Run a pinned or trusted program that root does not own from a sealed copy in "
               "memory. `false` for one that looks for files beside itself."),
        Option("timeout", &O::timeout, "Deadline of its calls; 0 = the tool's, else the guard's."),
        Option("start_timeout", &O::start_timeout, kPositive, "From start to a configured plugin."),
        Option("idle_stop", &O::idle_stop,
               "Stopped after this long without a call; started again by the next. 0 = never."),
        Option("expose", &O::expose,
               "Serves the HTTP routes that the plugin calls public without a token."),
        Option("tasks", &O::tasks, "Its scheduled tasks by name."),
        Option("sandbox", &O::sandbox, "What it may reach: docs/plugins/sandbox.md."));
  }
};

struct HostOptions {
  std::vector<std::string> dirs;
  Bytes max_message{4 << 20};
  std::uint32_t max_restarts = 5;
  std::chrono::milliseconds restart_window{120'000};
  std::chrono::milliseconds backoff_base{500};
  std::chrono::milliseconds backoff_max{60'000};
  std::chrono::milliseconds healthy_after{60'000};
  std::chrono::milliseconds stop_grace{2'000};
  std::chrono::milliseconds drain_grace{30'000};
  std::chrono::milliseconds load_wait{5'000};
  std::uint32_t max_abandoned_calls = 3;
  Bytes max_log_line{8 << 10};
  Bytes max_log_per_second{64 << 10};
  std::uint32_t max_log_lines = 500;
  Bytes max_log_file{1 << 20};
  Bytes stderr_tail{2 << 10};
  Bytes max_handshake{8 << 10};
  Bytes max_manifest{4 << 20};
  Bytes max_description{4 << 10};
  std::uint32_t max_tools = 128;
  std::uint32_t max_calls = 1024;
  std::uint32_t max_open_questions = 8;
  std::chrono::milliseconds watch_interval{1'000};
  SandboxDefaults sandbox;

  static constexpr auto Fields() {
    using O = HostOptions;
    return std::make_tuple(
        Option("dirs", &O::dirs,
               "Folders searched for plugins (NAME/NAME) besides `plugins` of the home folder. "
               "What is found there runs once it is trusted."),
        Option("max_message", &O::max_message, kPositive, "Largest answer taken from a plugin."),
        Option("max_restarts", &O::max_restarts,
               "Crashes within `restart_window` after which a plugin is left failed."),
        Option("restart_window", &O::restart_window, kPositive, "See `max_restarts`."),
        Option("backoff_base", &O::backoff_base,
               "Wait before the second restart; doubles with jitter."),
        Option("backoff_max", &O::backoff_max, "Longest wait before a restart."),
        Option("healthy_after", &O::healthy_after,
               "A process that ran this long makes the crashes before it forgotten."),
        Option("load_wait", &O::load_wait,
               "Longest wait of requests and unfinished turns, after the daemon's start, for "
               "plugins that must be run to know what they offer; later they are added. A plugin "
               "that serves a model provider is always waited for."),
        Option(
            "drain_grace", &O::drain_grace,
            "How long calls under way may take when their plugin is stopped, switched off or taken "
            "out; a reload lets them end."),
        Option("stop_grace", &O::stop_grace,
               "From Shutdown to SIGTERM; half of it again to SIGKILL."),
        Option("max_abandoned_calls", &O::max_abandoned_calls, kPositive,
               "Calls past their deadline after which the process is replaced."),
        Option("max_log_line", &O::max_log_line, kPositive,
               "Longer lines of a plugin's stderr are cut."),
        Option("max_log_per_second", &O::max_log_per_second, kPositive,
               "Bytes of a plugin's stderr logged a second; the rest is counted."),
        Option("max_log_lines", &O::max_log_lines,
               "Last lines of a plugin's stderr kept in memory for `talon plugins logs`."),
        Option("max_log_file", &O::max_log_file, kPositive,
               "A plugin's log file starts again at this size; one predecessor is kept."),
        Option("stderr_tail", &O::stderr_tail,
               "End of a plugin's stderr that is told when it does not start or crashes."),
        Option("max_handshake", &O::max_handshake, kPositive,
               "Longest first line of a plugin's stdout."),
        Option("max_manifest", &O::max_manifest, kPositive, "Largest manifest."),
        Option("max_description", &O::max_description,
               "Longer descriptions of a plugin or tool are cut."),
        Option("max_tools", &O::max_tools, kPositive, "Most tools of one plugin."),
        Option("max_calls", &O::max_calls, kPositive, "Calls to one plugin at once."),
        Option("max_open_questions", &O::max_open_questions,
               "Questions of one call that wait for the person; more end the call."),
        Option("watch_interval", &O::watch_interval,
               "Least time between two looks at tools that a running plugin says have changed."),
        Option("sandbox", &O::sandbox, "Of plugins that say nothing, and limits of all."));
  }
};

}  // namespace talon::plugin
