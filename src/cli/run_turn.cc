// SPDX-License-Identifier: Apache-2.0
// Client::RunTurn: one turn, through whatever daemons it takes.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/ids.h"
#include "base/status.h"
#include "cli/client.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/nursery.h"

namespace talon::cli {
namespace {

constexpr int kReconnects = 5;  // of one turn
// How long a turn that was cancelled may take to say so, and the daemon to take the request.
constexpr std::chrono::seconds kCancelPatience{3};

SteadyTime In(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

// The turn's end as its last event tells it. One that waits for the next start has not ended.
absl::Status EndOf(std::string_view event, const Json& data) {
  if (event == "done") return absl::OkStatus();
  const Json* error = JsonFind(data, "error");
  const std::string text = error != nullptr ? JsonString(*error, "message") : "the turn failed";
  return JsonString(data, "state") == "running"
             ? MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport, text)
             : Unavailable(text);
}

bool IsEnd(std::string_view event, const Json& data) {
  return event == "done" || (event == "error" && JsonString(data, "state") != "running");
}

}  // namespace

io::Task<void> Client::CancelTurn(std::string turn) {
  CallContext context;
  context.deadline = In(kCancelPatience);
  // It may have ended meanwhile, and its daemon too.
  (co_await CallOnce("POST", "/v1/turns/" + turn + "/cancel", "", context)).IgnoreError();
}

io::Task<absl::Status> Client::RunTurn(TurnRequest request, EventHandler on_event,
                                       CallContext context) {
  for (const auto& [name, text] : {std::pair("message", &request.message),
                                   {"session", &request.session},
                                   {"model", &request.model}}) {
    TALON_CO_RETURN_IF_ERROR(CheckUtf8(name, *text));
  }
  Json body = {{"message", request.message},
               {"session", request.session},
               {"origin", "cli"},
               {"approvals", request.waits ? "wait" : "refuse"}};
  if (!request.model.empty()) body["model"] = request.model;
  if (request.task) body["mode"] = "task";
  RandomIdSource ids;
  const std::string key = "cli-" + ids.Next();

  std::string turn;
  io::Nursery cancelling(loop());
  CancelSource hang_up;
  io::TimerId patience;
  const auto asked = context.cancel.OnCancel([&] {
    if (!turn.empty()) cancelling.Spawn(CancelTurn(turn));
    patience =
        loop().CallAt(In(kCancelPatience), [&hang_up] { hang_up.Cancel(Cancelled("cancelled")); });
  });
  CallContext stream = context;
  stream.cancel = hang_up.token();

  absl::Status outcome;
  for (int lost = 0;; ++lost) {
    io::HttpRequest http = RequestOf("POST", "/v1/turns");
    http.headers.Set("Content-Type", "application/json");
    http.headers.Set("Idempotency-Key", key);
    http.body = DumpJson(body);
    outcome = MakeError(absl::StatusCode::kUnavailable, ErrorReason::kTransport,
                        "the daemon went away before the turn ended");
    const absl::Status streamed = co_await ReadEvents(
        std::move(http),
        [&](std::string_view event, const Json& data) {
          const bool cancelled = context.cancel.cancelled();
          if (event == "turn_start") {
            turn = JsonString(data, "turn");
            if (cancelled) cancelling.Spawn(CancelTurn(turn));
          }
          const bool last = event == "done" || event == "error";
          if (last ? IsEnd(event, data) : !cancelled) on_event(event, data);
          if (last) outcome = EndOf(event, data);
          return !last;
        },
        stream);
    if (!streamed.ok()) outcome = streamed;
    if (!IsLost(outcome) || context.cancel.cancelled() || lost == kReconnects) break;
    on_event("connection_lost", Json::object());
    if (absl::Status again = co_await Reconnect(context); !again.ok()) {
      outcome = turn.empty() ? again
                             : Annotate(again,
                                        "the daemon went away; the turn goes on when one "
                                        "starts again, but none could be reached");
      break;
    }
    on_event("reconnected", {{"embedded", embedded()}});
  }
  loop().CancelTimer(patience);
  co_await cancelling.Join();
  co_return outcome;
}

}  // namespace talon::cli
