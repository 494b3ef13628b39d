// SPDX-License-Identifier: Apache-2.0
// The CLI's side of the HTTP API. With a daemon running it is asked; without one, one is started
// inside this process, on a thread of its own, for as long as the command lasts; a daemon that goes
// away meanwhile is replaced in the same way (connection.h). Main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/json.h"
#include "base/secret.h"
#include "io/task.h"

namespace talon::io {
class Loop;
class HttpClient;
struct HttpRequest;
}  // namespace talon::io

namespace talon::cli {

struct TurnRequest {
  std::string message, session, model;
  bool task = false;
  bool waits = false;  // for approvals; else what needs one is refused
};

// As the API does it: what is not UTF-8 is refused with its place, not replaced.
absl::Status CheckUtf8(std::string_view name, std::string_view text);

// Whether the daemon went away, or never was there: another one may answer.
bool IsLost(const absl::Status& error);

// What a turn's stream says, event by event (turn_start, text_delta, tool_start, …), and two events
// of the client: "connection_lost", and "reconnected" {embedded} before the same turn is awaited
// from another daemon: of a turn that runs on there, its text comes once more, at once and whole.
using EventHandler = std::function<void(std::string_view event, const Json& data)>;

class Client {
 public:
  // Finds or starts a daemon.
  static absl::StatusOr<std::unique_ptr<Client>> Connect();
  // Finds one that runs. Unavailable/kTransport when there is none.
  static absl::StatusOr<std::unique_ptr<Client>> Join();
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  io::Loop& loop();
  bool embedded() const;

  // The answer's JSON; an error answer becomes its Status.
  absl::StatusOr<std::string> Call(std::string method, std::string path, std::string body = "");
  io::Task<absl::StatusOr<std::string>> CallAsync(std::string method, std::string path,
                                                  std::string body, CallContext context);
  // Ends with the turn's last event ("done" or "error"), which `on_event` has seen as well. A turn
  // is asked for under a key of its own, so that no daemon runs it twice. When `context` is
  // cancelled the turn is, and nothing but its last event is shown any more.
  io::Task<absl::Status> RunTurn(TurnRequest request, EventHandler on_event, CallContext context);
  // Every event of a stream that ends when the daemon ends it, or `context` does.
  io::Task<absl::Status> Follow(std::string path, EventHandler on_event, CallContext context);
  // The same of what is posted.
  io::Task<absl::Status> Post(std::string path, std::string body, EventHandler on_event,
                              CallContext context);

 private:
  struct Parts;
  Client();
  io::Task<absl::Status> Reconnect(CallContext context);
  io::HttpRequest RequestOf(std::string method, const std::string& path) const;
  io::Task<absl::StatusOr<std::string>> CallOnce(std::string method, std::string path,
                                                 std::string body, CallContext context);
  io::Task<void> CancelTurn(std::string turn);
  io::Task<absl::Status> ReadEvents(io::HttpRequest http,
                                    std::function<bool(std::string_view, const Json&)> on_event,
                                    CallContext context);
  std::unique_ptr<Parts> parts_;
};

}  // namespace talon::cli
