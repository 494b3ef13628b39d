// SPDX-License-Identifier: Apache-2.0
// `talon plugins run`: one tool call from the shell, through guard and hooks. Its progress is shown
// and its questions are asked where a person is at the terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/cancel.h"
#include "base/status.h"
#include "cli/call_arguments.h"
#include "cli/plugin_commands.h"
#include "cli/questions.h"
#include "cli/report.h"
#include "cli/turn_view.h"
#include "io/http_types.h"
#include "io/loop.h"
#include "io/signals.h"

namespace talon::cli {
namespace {

// With its questions asked.
io::Task<absl::Status> Stream(Client& client, std::string path, std::string body,
                              Questions& questions, EventHandler on_event, CallContext context) {
  absl::Status status =
      co_await client.Post(std::move(path), std::move(body),
                           AlsoAsking(questions, std::move(on_event)), std::move(context));
  co_await questions.Finish();
  co_return status;
}

int Show(const Globals& globals, const Json& result) {
  const bool failed = JsonBool(result, "is_error");
  if (globals.json) {
    std::printf("%s\n", DumpJson({{"ok", !failed}, {"data", result}}).c_str());
  } else {
    Print(JsonString(result, "text"));
  }
  return failed ? kFailed : kOk;
}

}  // namespace

int PluginRun(const Globals& globals, const std::string& name, const std::string& tool,
              const std::vector<std::string>& arguments) {
  auto object = ParseCallArguments(arguments);
  if (!object.ok()) return Fail(globals, object.status(), kUsage);
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  const std::string plugin = "/v1/plugins/" + io::PercentEncode(name);
  CancelSource interrupt;
  Questions questions(**client);
  questions.AnswerAt(plugin + "/questions/");
  auto signals = io::WatchSignals((*client)->loop(), {SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
    if (signal == SIGINT && questions.Interrupt()) return;
    interrupt.Cancel(Cancelled("interrupted"));
  });
  const bool color = ::isatty(STDOUT_FILENO) == 1;
  TurnView view(color, globals.json || !color);
  absl::StatusOr<Json> result = Unavailable("the daemon went away before the call ended");
  CallContext context;
  context.cancel = interrupt.token();
  const absl::Status streamed = (*client)->loop().RunUntilDone(Stream(
      **client, plugin + "/run",
      DumpJson({{"tool", tool}, {"arguments", *object}, {"stream", true}}), questions,
      [&](std::string_view event, const Json& data) {
        if (event == "done") result = data;
        if (event == "error") {
          const Json* error = JsonFind(data, "error");
          result = Unavailable(error == nullptr ? "it failed" : JsonString(*error, "message"));
        }
        if (event == "tool_progress") view.OnEvent(event, data);
      },
      std::move(context)));
  view.Finish();
  if (interrupt.token().cancelled()) return Fail(globals, interrupt.token().status(), kInterrupted);
  const absl::Status failed = streamed.ok() ? result.status() : streamed;
  if (!failed.ok())
    return Fail(globals, failed, absl::IsInvalidArgument(failed) ? kUsage : kFailed);
  return Show(globals, *result);
}

}  // namespace talon::cli
