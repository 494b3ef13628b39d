// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>

#include "base/json.h"
#include "base/status.h"
#include "base/terminal.h"
#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/guard_commands.h"
#include "cli/plugin_commands.h"
#include "daemon/version.h"

namespace talon::cli {
namespace {

constexpr const char* kFooter =
    "Environment: TALON_HOME (default ~/.talon), TALON_CONFIG, TALON_MODEL, TALON_GATEWAY_PORT, "
    "and\n"
    "TALON_<KEY> for any key of talon.yaml.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 no daemon could be reached "
    "or\n"
    "started, 4 the turn failed, 130 interrupted.";

class Commands {
 public:
  Commands() : app_("talon: a self-hosted agent daemon", "talon") {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.footer(kFooter);
    app_.set_version_flag("--version", std::string(daemon::kVersion));
    app_.add_flag("--json", globals_.json, "Answer as JSON: {\"ok\":…,\"data\":…}");
    AddTalking();
    AddConfig();
    AddListing();
    AddNotify();
    AddGuardCommands(app_, globals_, run_);
    AddPluginCommands(app_, globals_, run_);
  }

  int Execute(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
      return app_.exit(asked);
    } catch (const CLI::ParseError& error) {
      if (argc <= 1) std::fprintf(stderr, "%s\n", app_.help().c_str());
      // The parser may have stopped before it came to --json.
      for (const std::string_view word : std::span(argv, static_cast<std::size_t>(argc))) {
        if (word == "--") break;
        globals_.json = globals_.json || word == "--json";
      }
      return Fail(globals_, InvalidArgument(UsageText(app_, error)), kUsage);
    }
    return run_ ? run_() : kUsage;
  }

 private:
  CLI::App* Add(CLI::App& parent, const std::string& name, const std::string& text, Run run) {
    CLI::App* command = parent.add_subcommand(name, text);
    if (run) command->callback([this, run] { run_ = run; });
    return command;
  }

  void AddTalking() {
    Add(app_, "serve", "Run the daemon", [this] { return Serve(globals_); });
    CLI::App* chat = Add(app_, "chat", "Talk to the agent",
                         [this] { return Chat(globals_, session_, ask_.model); });
    chat->add_option("-s,--session", session_, "Session key (default: main)");
    chat->add_option("-m,--model", ask_.model, "Model, as `talon models` lists it, or an alias");
    CLI::App* ask =
        Add(app_, "ask", "Ask once and print the answer", [this] { return Ask(globals_, ask_); });
    ask->add_option("message", ask_.message, "What to ask; '-' or nothing reads standard input");
    ask->add_option("-s,--session", ask_.session, "Session key (default: a new session)");
    ask->add_option("-m,--model", ask_.model, "Model or alias");
    ask->add_flag("-q,--quiet", ask_.quiet, "Print the answer only, no tool calls");
    ask->add_flag("--wait", ask_.wait,
                  "Wait for approvals that nobody at this terminal can give (talon approvals)");
    ask->add_flag("--task", ask_.task, "Unattended task: fewer tool rounds");
  }

  void AddConfig() {
    CLI::App* config = Add(app_, "config", "Check and show the configuration", nullptr);
    config->require_subcommand(1);
    Add(*config, "check", "Check talon.yaml and the environment",
        [this] { return ConfigCheck(globals_); });
    Add(*config, "show", "Print every value in force, secrets redacted",
        [this] { return ConfigShow(globals_); });
    Add(*config, "example", "Print a talon.yaml with every key, its default and meaning",
        [] { return ConfigExample(false); });
    Add(*config, "reference", "Print the configuration reference as Markdown",
        [] { return ConfigExample(true); });
    Add(app_, "doctor", "Examine this installation", [this] { return Doctor(globals_); });
  }

  void AddNotify() {
    CLI::App* notify = Add(app_, "notify", "Send a notification through the configured channel",
                           [this] { return Notify(globals_, notify_); });
    notify->add_option("text", notify_.text, "What to say")->required();
    notify->add_option("--title", notify_.title, "A short title");
    notify->add_option("--level", notify_.level, "info, warning or urgent");
    notify->add_option("--to", notify_.to, "Who it is for, where the channel knows several");
  }

  void AddListing() {
    Add(app_, "status", "Show the daemon's state", [this] { return Status(globals_); });
    Add(app_, "models", "List models", [this] { return Models(globals_); });
    Add(app_, "tools", "List what a model can call", [this] { return Tools(globals_); });
    Add(app_, "effects", "Show what a turn's tool calls changed, and how that can be undone",
        [this] { return Effects(globals_, turn_); })
        ->add_option("turn", turn_, "Id of the turn, as `talon ask --json` tells it")
        ->required();
    CLI::App* sessions = Add(app_, "sessions", "List, show and delete sessions", nullptr);
    sessions->require_subcommand(0, 1);
    const auto list = [this] {
      return SessionsList(globals_, all_ ? ListedSessions::kAll : ListedSessions::kNamed);
    };
    sessions->callback([this, list] {
      if (!run_) run_ = list;
    });
    for (CLI::App* each : {sessions, Add(*sessions, "list", "List sessions", list)}) {
      each->add_flag("--all", all_, "Also those without a key, as `talon ask` leaves them");
    }
    Add(*sessions, "show", "Show a session's messages",
        [this] { return SessionShow(globals_, session_); })
        ->add_option("id", session_, "Session id or key")
        ->required();
    CLI::App* remove = Add(*sessions, "delete", "Delete a session and all that belongs to it",
                           [this] { return SessionDelete(globals_, session_, force_); });
    remove->add_option("id", session_, "Session id or key")->required();
    remove->add_flag("--force", force_, "Cancel its turns under way first");
    CLI::App* context = Add(app_, "context", "Show what a prompt costs in tokens",
                            [this] { return Context(globals_, session_, ask_.model, prompt_); });
    context->add_option("-s,--session", session_, "Session key (default: an empty session)");
    context->add_option("-m,--model", ask_.model, "Model or alias");
    context->add_flag("--prompt", prompt_, "Print the system prompt as well");
    Add(app_, "completion", "Print a completion script for a shell",
        [this] { return PrintCompletion(); })
        ->add_option("shell", shell_, "bash, zsh or fish")
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->required();
    Add(app_, "version", "Print the version", [this] {
      if (globals_.json) {
        std::printf("%s\n",
                    DumpJson({{"ok", true}, {"data", {{"version", daemon::kVersion}}}}).c_str());
      } else {
        std::printf("talon %s\n", std::string(daemon::kVersion).c_str());
      }
      return static_cast<int>(kOk);
    });
  }

  int PrintCompletion() {
    const CommandWords tree = TreeOf(app_);
    const std::string script = shell_ == "bash"  ? BashCompletion(tree)
                               : shell_ == "zsh" ? ZshCompletion(tree)
                                                 : FishCompletion(tree);
    std::printf("%s", script.c_str());
    return kOk;
  }

  CLI::App app_;
  Globals globals_;
  AskOptions ask_;
  NotifyOptions notify_;
  std::string session_, turn_, shell_;
  bool prompt_ = false;
  bool all_ = false;
  bool force_ = false;
  Run run_;
};

}  // namespace

int ConnectCode(const absl::Status& error) {
  return absl::IsInvalidArgument(error) || absl::IsNotFound(error) ? kUsage : kUnreachable;
}

int Fail(const Globals& globals, const absl::Status& error, int code) {
  if (globals.json) {
    std::printf("%s\n", DumpJson({{"ok", false},
                                  {"error",
                                   {{"type", std::string(absl::StatusCodeToString(error.code()))},
                                    {"message", std::string(Message(error))}}}})
                            .c_str());
  } else {
    std::string_view lines = Message(error);
    do {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
      // What is indented belongs to the line before.
      std::fprintf(stderr, "%s%s\n",
                   line.starts_with(' ') ? "" : "talon: ", ForTerminal(line).c_str());
    } while (!lines.empty());
  }
  return code;
}

int Main(int argc, char** argv) {
  // A reader, a plugin or a daemon that goes away is an error of that write, not the end.
  ::signal(SIGPIPE, SIG_IGN);
  const int code = Commands().Execute(argc, argv);
  // A full disk or a closed pipe shows here at the latest.
  const bool lost = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !lost) return code;
  pollfd out{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  // Of a pipe whose reader had enough, or a terminal that is gone.
  const bool left = ::poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
  if (left) return code == kOk ? kFailed : code;
  std::fprintf(stderr, "talon: cannot write to standard output%s%s\n", lost ? "" : ": ",
               lost ? "" : std::strerror(errno));
  return code == kOk ? kFailed : code;
}

}  // namespace talon::cli
