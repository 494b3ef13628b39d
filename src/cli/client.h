// SPDX-License-Identifier: Apache-2.0
// The CLI's side of the HTTP API. With a daemon running it is asked; without one, one is started
// inside this process, on a thread of its own, for as long as the command lasts. Main thread.
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

namespace talon::daemon {
struct Paths;
}

namespace talon::io {
class Loop;
class HttpClient;
struct HttpRequest;
}  // namespace talon::io

namespace talon::cli {

struct TurnRequest {
  std::string message, session, model;
  bool task = false;
};

// As the API does it: what is not UTF-8 is refused with its place, not replaced.
absl::Status CheckUtf8(std::string_view name, std::string_view text);

// What a turn's stream says, event by event (turn_start, text_delta, tool_start, …).
using EventHandler = std::function<void(std::string_view event, const Json& data)>;

class Client {
 public:
  // Finds or starts a daemon. The token is shown only to a daemon that proves it knows it.
  static absl::StatusOr<std::unique_ptr<Client>> Connect();
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  io::Loop& loop();
  bool embedded() const;

  // The answer's JSON; an error answer becomes its Status.
  absl::StatusOr<std::string> Call(std::string method, std::string path, std::string body = "");
  io::Task<absl::StatusOr<std::string>> CallAsync(std::string method, std::string path,
                                                  std::string body, CallContext context);
  // Ends with the turn's last event ("done" or "error"), which `on_event` has seen as well.
  io::Task<absl::Status> RunTurn(TurnRequest request, EventHandler on_event, CallContext context);
  // Every event of a stream that ends when the daemon ends it, or `context` does.
  io::Task<absl::Status> Follow(std::string path, EventHandler on_event, CallContext context);

 private:
  class Embedded;
  struct Parts;
  explicit Client(std::unique_ptr<Parts> parts);
  // True when the announced daemon answers and is ours.
  bool Join(const daemon::Paths& paths, const Secret& configured);
  io::Task<absl::Status> ReadEvents(io::HttpRequest http,
                                    std::function<bool(std::string_view, const Json&)> on_event,
                                    CallContext context);
  std::unique_ptr<Parts> parts_;
};

}  // namespace talon::cli
