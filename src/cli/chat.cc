// SPDX-License-Identifier: Apache-2.0
#include <editline/readline.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/questions.h"
#include "cli/report.h"
#include "cli/turn_view.h"
#include "daemon/paths.h"
#include "daemon/version.h"
#include "io/loop.h"
#include "io/signals.h"

namespace talon::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr const char* kPrompt = "> ";
constexpr std::string_view kHelp =
    "/help            this list\n"
    "/new             start a new session\n"
    "/model [NAME]    show the models, or use NAME in this session\n"
    "/tools           what the model can call\n"
    "/cost            tokens and money of this chat\n"
    "/quit            leave (Ctrl-D too)\n"
    "Ctrl-C cancels the answer under way, or declines a tool's question.\n";

volatile std::sig_atomic_t g_interrupts = 0;  // a signal handler can reach nothing else

// While it lives, Ctrl-C interrupts a read and does nothing more.
class InterruptCatcher {
 public:
  InterruptCatcher() {
    g_interrupts = 0;
    struct sigaction action{};
    action.sa_handler = [](int) { g_interrupts = g_interrupts + 1; };
    ::sigaction(SIGINT, &action, &before_);  // no SA_RESTART: the read must end
  }
  ~InterruptCatcher() { ::sigaction(SIGINT, &before_, nullptr); }
  InterruptCatcher(const InterruptCatcher&) = delete;
  InterruptCatcher& operator=(const InterruptCatcher&) = delete;
  bool caught() const { return g_interrupts > 0; }

 private:
  struct sigaction before_{};
};

// Lines from a person at a terminal, or from a pipe.
class LineReader {
 public:
  explicit LineReader(std::string history) : history_(std::move(history)) {
    interactive_ = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    if (!interactive_) return;
    ::rl_catch_signals = 0;
    ::using_history();
    ::stifle_history(kHistoryLines);
    ::read_history(history_.c_str());
  }
  ~LineReader() {
    if (interactive_) ::write_history(history_.c_str());
  }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  bool interactive() const { return interactive_; }

  // Nothing at the end of input; an empty line after Ctrl-C.
  std::optional<std::string> Next() {
    if (!interactive_) {
      std::string line;
      if (!std::getline(std::cin, line)) return std::nullopt;
      std::printf("%s%s\n", kPrompt, line.c_str());
      return line;
    }
    char* text = nullptr;
    {
      InterruptCatcher interrupts;
      text = ::readline(kPrompt);
      if (text == nullptr && interrupts.caught()) {
        std::printf("\n(/quit leaves)\n");
        return "";
      }
    }
    if (text == nullptr) return std::nullopt;
    std::string line(text);
    std::free(text);
    if (!TrimSpace(line).empty()) ::add_history(line.c_str());
    return line;
  }

 private:
  std::string history_;
  bool interactive_ = false;
};

class ChatSession {
 public:
  ChatSession(Client& client, std::string session, std::string model)
      : client_(client),
        session_(std::move(session)),
        model_(std::move(model)),
        view_(::isatty(STDOUT_FILENO) == 1, false) {}

  void Greet();
  // False to leave.
  bool Handle(std::string_view line);
  // Whether anything that was asked did not succeed.
  bool any_failed() const { return any_failed_; }

 private:
  void Say(std::string_view message);
  void Model(std::string_view name);
  void ToolList();
  void Report(const absl::Status& error) {
    Print(fmt::format("! {}", Message(error)));
    any_failed_ = true;
  }
  absl::StatusOr<Json> Get(const std::string& path) {
    TALON_ASSIGN_OR_RETURN(std::string body, client_.Call("GET", path));
    return ParseJson(body, path);
  }

  Client& client_;
  std::string session_, model_;
  TurnView view_;
  bool any_failed_ = false;
};

void ChatSession::Greet() {
  auto status = Get("/v1/status");
  if (!status.ok()) return Report(status.status());
  Print(fmt::format("talon {}, model {}, session {}. /help lists commands.", daemon::kVersion,
                    JsonString(*status, "model"), session_));
  if (!JsonBool(*status, "model_configured")) {
    Print(fmt::format(
        "No language model is configured: the built-in reflex model answers and calls tools. To "
        "change that, {}.",
        JsonString(*status, "model_advice")));
  }
}

void ChatSession::Say(std::string_view message) {
  CancelSource interrupt;
  CallContext context;
  context.cancel = interrupt.token();
  Questions questions(client_);
  auto signals = io::WatchSignals(client_.loop(), {SIGINT}, [&](int) {
    if (!questions.Interrupt()) interrupt.Cancel(Cancelled("cancelled"));
  });
  absl::Status status = client_.loop().RunUntilDone(RunAsked(
      client_,
      {.message = std::string(message), .session = session_, .model = model_, .task = false},
      questions, [this](std::string_view event, const Json& data) { view_.OnEvent(event, data); },
      context));
  view_.Finish();
  if (interrupt.token().cancelled()) {
    std::printf("(cancelled)\n");
  } else if (!status.ok()) {
    Report(status);
  }
}

void ChatSession::Model(std::string_view name) {
  auto models = Get("/v1/models");
  if (!models.ok()) return Report(models.status());
  const Json* list = JsonFind(*models, "data");
  if (list == nullptr) return;
  bool known = false;
  std::string lines;
  for (const Json& model : *list) {
    const std::string id = JsonString(model, "id");
    if (id == "talon") continue;
    const std::string alias = JsonString(model, "alias");
    known |= id == name || (!alias.empty() && alias == name);
    lines += fmt::format("  {}{}\n", id, alias.empty() ? "" : " (" + alias + ")");
  }
  if (name.empty()) {
    Print(lines + (model_.empty() ? "in use: the default" : "in use: " + model_));
  } else if (known || name.find('/') != std::string_view::npos) {
    model_ = name;
    Print("using " + model_);
  } else {
    Report(NotFound(fmt::format("unknown model '{}'; known:\n{}", name, TrimSpace(lines))));
  }
}

void ChatSession::ToolList() {
  auto tools = Get("/v1/tools");
  if (!tools.ok()) return Report(tools.status());
  const Json* list = JsonFind(*tools, "tools");
  if (list == nullptr) return;
  for (const Json& tool : *list) {
    Print(fmt::format("  {:20} {:6} {}", JsonString(tool, "name"), JsonString(tool, "effect"),
                      JsonString(tool, "description")));
  }
}

bool ChatSession::Handle(std::string_view line) {
  line = TrimSpace(line);
  if (line.empty()) return true;
  const std::size_t space = line.find(' ');
  const std::string_view command = line.substr(0, space);
  const std::string_view argument =
      space == std::string_view::npos ? "" : TrimSpace(line.substr(space));
  if (command == "/quit" || command == "/exit") return false;
  if (command == "/help") {
    std::printf("%s", std::string(kHelp).c_str());
  } else if (command == "/new") {
    RandomIdSource ids;
    session_ = "chat-" + ids.Next();
    std::printf("new session %s\n", session_.c_str());
  } else if (command == "/model") {
    Model(argument);
  } else if (command == "/tools") {
    ToolList();
  } else if (command == "/cost") {
    std::printf("%lld input tokens, %lld output tokens, $%.4f\n",
                static_cast<long long>(view_.input_tokens()),
                static_cast<long long>(view_.output_tokens()), view_.cost_usd());
  } else if (command.starts_with("/") && command.find('/', 1) == std::string_view::npos &&
             command.find("__") == std::string_view::npos && command != "/tool") {
    Report(NotFound(fmt::format("unknown command {}; /help lists them", command)));
  } else {
    Say(line);
  }
  return true;
}

}  // namespace

int Chat(const Globals& globals, std::string session, const std::string& model) {
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  auto paths = daemon::FindPaths(&std::getenv);
  if (!paths.ok()) return Fail(globals, paths.status());
  if (session.empty()) session = "main";
  ChatSession chat(**client, std::move(session), model);
  chat.Greet();
  LineReader reader(paths->history());
  while (auto line = reader.Next()) {
    if (!chat.Handle(*line)) break;
    std::fflush(stdout);
  }
  // A person has seen what failed; a script looks at the exit code.
  return reader.interactive() || !chat.any_failed() ? kOk : kTurnFailed;
}

}  // namespace talon::cli
