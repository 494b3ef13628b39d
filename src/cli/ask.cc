// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/terminal.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/questions.h"
#include "cli/turn_view.h"
#include "io/loop.h"
#include "io/signals.h"

namespace talon::cli {

namespace {

// An answer of the built-in model may not be what somebody wants who has configured a provider.
void WarnOfReflex(Client& client, const Json& outcome) {
  if (!JsonString(outcome, "model").starts_with("reflex/")) return;
  auto body = client.Call("GET", "/v1/status");
  auto status = body.ok() ? ParseJson(*body, "status") : absl::StatusOr<Json>(body.status());
  if (!status.ok() || !JsonBool(*status, "provider_configured")) return;
  std::fprintf(stderr, "talon: the built-in reflex model answered: %s\n",
               ForTerminal(JsonString(*status, "model_advice")).c_str());
}

}  // namespace

int Ask(const Globals& globals, const AskOptions& options) {
  TurnRequest request{.message = options.message,
                      .session = options.session,
                      .model = options.model,
                      .task = options.task,
                      .waits = options.wait};
  if (request.message.empty() || request.message == "-") {
    request.message.assign(std::istreambuf_iterator<char>(std::cin), {});
  }
  if (request.message.empty()) {
    return Fail(globals, InvalidArgument("nothing to ask: give a message or write it to stdin"),
                kUsage);
  }
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));

  CancelSource interrupt;
  Questions questions(**client);
  auto signals = io::WatchSignals((*client)->loop(), {SIGINT, SIGTERM, SIGHUP}, [&](int signal) {
    if (signal == SIGINT && questions.Interrupt()) return;
    interrupt.Cancel(Cancelled("interrupted"));
  });
  CallContext context;
  context.cancel = interrupt.token();
  const bool color = ::isatty(STDOUT_FILENO) == 1;
  TurnView view(color, options.quiet || globals.json || !color);
  Json last;
  absl::Status status = (*client)->loop().RunUntilDone(RunAsked(
      **client, std::move(request), questions,
      [&](std::string_view event, const Json& data) {
        if (!globals.json) view.OnEvent(event, data);
        // Nobody reads the answer any more (`talon ask … | head -1`).
        if (std::ferror(stdout) != 0) interrupt.Cancel(Cancelled("standard output was closed"));
        if (event == "done" || event == "error") last = data;
      },
      context));
  view.Finish();
  if (!globals.json) WarnOfReflex(**client, last);
  if (std::ferror(stdout) != 0) return kFailed;  // Main() says so
  if (interrupt.token().cancelled()) return Fail(globals, Cancelled("interrupted"), kInterrupted);
  // Nothing the daemon took up: a model or a request it does not know.
  const bool refused =
      last.is_null() && (absl::IsInvalidArgument(status) || absl::IsNotFound(status));
  if (refused) return Fail(globals, status, kUsage);
  if (const Json* error = JsonFind(last, "error"); globals.json && error != nullptr) {
    Json told = *error;
    told["turn"] = JsonString(last, "turn");
    if (!questions.unapproved().empty()) told["unapproved"] = questions.unapproved();
    std::printf("%s\n", DumpJson({{"ok", false}, {"error", told}}).c_str());
    return kTurnFailed;
  }
  if (!status.ok()) return Fail(globals, status, kTurnFailed);
  if (!questions.unapproved().empty()) last["unapproved"] = questions.unapproved();
  if (globals.json) std::printf("%s\n", DumpJson({{"ok", true}, {"data", last}}).c_str());
  return kOk;
}

}  // namespace talon::cli
