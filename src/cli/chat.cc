// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/line_reader.h"
#include "cli/questions.h"
#include "cli/report.h"
#include "cli/turn_view.h"
#include "daemon/paths.h"
#include "daemon/version.h"
#include "io/loop.h"
#include "io/signals.h"

namespace talon::cli {
namespace {

constexpr std::string_view kHelp =
    "/help            this list\n"
    "/new             start a new session\n"
    "/model [NAME]    show the models, or use NAME in this session\n"
    "/tools           what the model can call\n"
    "/cost            tokens and money of this chat\n"
    "/quit            leave (Ctrl-D too)\n"
    "Ctrl-C cancels the answer under way, or declines a tool's question.\n";

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
  // From the loop: gives up what is under way; `question`: only a tool's question, if one is open.
  // False when nothing is under way.
  enum class GiveUp { kQuestion, kAll };
  bool Interrupt(GiveUp what);
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
    CancelSource interrupt;
    under_way_ = &interrupt;
    CallContext context;
    context.cancel = interrupt.token();
    auto body = client_.loop().RunUntilDone(client_.CallAsync("GET", path, "", context));
    under_way_ = nullptr;
    TALON_RETURN_IF_ERROR(body.status());
    return ParseJson(*body, path);
  }

  Client& client_;
  std::string session_, model_;
  TurnView view_;
  CancelSource* under_way_ = nullptr;
  Questions* questions_ = nullptr;  // of the turn under way
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

bool ChatSession::Interrupt(GiveUp what) {
  if (under_way_ == nullptr) return false;
  if (what == GiveUp::kQuestion && questions_ != nullptr && questions_->Interrupt()) return true;
  under_way_->Cancel(Cancelled("cancelled"));
  return true;
}

void ChatSession::Say(std::string_view message) {
  CancelSource interrupt;
  CallContext context;
  context.cancel = interrupt.token();
  Questions questions(client_);
  under_way_ = &interrupt;
  questions_ = &questions;
  absl::Status status = client_.loop().RunUntilDone(RunAsked(
      client_,
      {.message = std::string(message), .session = session_, .model = model_, .task = false},
      questions, [this](std::string_view event, const Json& data) { view_.OnEvent(event, data); },
      context));
  under_way_ = nullptr;
  questions_ = nullptr;
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
  io::Loop& loop = (*client)->loop();
  ChatSession chat(**client, std::move(session), model);
  LineReader reader(loop, paths->history());
  // A terminal that closes and a request to end are as good as /quit.
  const auto signals = io::WatchSignals(loop, {SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
    if (signal != SIGINT) {
      chat.Interrupt(ChatSession::GiveUp::kAll);
      reader.Leave();
    } else if (!chat.Interrupt(ChatSession::GiveUp::kQuestion)) {
      reader.Interrupt();
    }
  });
  chat.Greet();
  while (auto line = reader.Next()) {
    if (!chat.Handle(*line)) break;
  }
  // A person has seen what failed; a script looks at the exit code.
  return reader.interactive() || !chat.any_failed() ? kOk : kTurnFailed;
}

}  // namespace talon::cli
