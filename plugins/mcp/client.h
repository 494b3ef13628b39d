// SPDX-License-Identifier: Apache-2.0
// What MCP means on top of a session: finding out which revision a server speaks, lists with their
// pages, calls with progress, questions and tasks. Revisions: 2026-07-28 (no handshake, everything
// in each request, questions inside results) and 2025-11-25, 2025-06-18 and older (handshake,
// questions as requests of the server). Calls block and may be made from several threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mcp/param_headers.h"
#include "mcp/session.h"

namespace talon::plugins::mcp {
class Tokens;
}

namespace talon::plugins::mcp {

inline constexpr char kModernVersion[] = "2026-07-28";
inline constexpr char kLegacyVersion[] = "2025-11-25";  // offered in a handshake

struct ClientOptions {
  std::string server;  // its name in the configuration
  // "auto": ask with server/discover, fall back to the handshake. Or a revision.
  std::string protocol = "auto";
  Json roots;                                         // null: not offered
  std::chrono::milliseconds timeout{60'000};          // of a request without progress
  std::chrono::milliseconds connect_timeout{30'000};  // until the server has introduced itself
  std::size_t max_items = 1'000;                      // of one list
  int max_pages = 100;
  int max_rounds = 10;         // of questions in one call
  Tokens* tokens = nullptr;    // outlives the client; null: the server gets none
  int max_token_renewals = 3;  // in one request
};

struct ServerInfo {
  std::string name, version, instructions;  // untrusted
  std::string protocol;
  bool modern = false;
  Json capabilities = Json::object();
};

class Client {
 public:
  using MakeWire = std::function<std::unique_ptr<Wire>()>;
  struct Hooks {
    // On the wire's thread; must not block.
    std::function<void(const std::string& method)>
        on_change;                  // "notifications/tools/list_changed" …
    std::function<void()> on_deaf;  // changes are no longer heard of; Listen() again
    std::function<void(absl::Status why)> on_closed;
  };

  // Errors: the server did not start, did not introduce itself in time, speaks no common revision,
  // wants a token.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const MakeWire& make_wire,
                                                         ClientOptions options, Hooks hooks,
                                                         Caller& caller);
  ~Client();

  const ServerInfo& info() const { return info_; }
  bool Offers(std::string_view capability) const { return info_.capabilities.contains(capability); }

  // All pages of `tools/list` (key "tools"), `prompts/list`, `resources/list`, …: objects only.
  absl::StatusOr<std::vector<Json>> List(const std::string& method, const std::string& key,
                                         Caller& caller);
  // `tool` as listed. The result is the CallToolResult, also when it says isError.
  absl::StatusOr<Json> CallTool(const Json& tool, const Json& arguments, Caller& caller);
  // resources/read, prompts/get and other requests whose result may ask for more.
  absl::StatusOr<Json> Ask(const std::string& method, const Json& params, Caller& caller);

  // Opens whatever brings the server's notifications; failures are logged, not answered.
  void Listen();
  // True when the last failure of a call was that the server forgot the session: connect again.
  bool session_lost() const { return session_lost_; }
  void Stop() { session_->Stop(); }

 private:
  Client(std::unique_ptr<Session> session, ClientOptions options, std::function<void()> on_deaf)
      : options_(std::move(options)), on_deaf_(std::move(on_deaf)), session_(std::move(session)) {}

  enum class Era { kModern, kLegacy, kUnsure };
  absl::StatusOr<Era> Discover(Caller& caller, bool insist);
  absl::Status Initialize(Caller& caller);
  Json Capabilities() const;
  // One request with what the revision wants in it, sent again with another token when the server
  // refuses the one it has.
  Reply Send(const std::string& method, Json params, Caller& caller, Headers headers = {},
             bool progress = false);
  absl::StatusOr<Json> AskRounds(const std::string& method, Json params, Caller& caller,
                                 const Headers& headers, bool progress);
  absl::Status AnswerRound(const Json& result, Json& params, Caller& caller);
  absl::Status OpenPages(const RpcError& error, Caller& caller);
  absl::StatusOr<Json> CallAsTask(Json params, Caller& caller);
  absl::Status Failed(const Reply& reply);

  const ClientOptions options_;
  const std::function<void()> on_deaf_;
  const std::unique_ptr<Session> session_;
  ServerInfo info_;  // constant once connected
  std::atomic<bool> session_lost_ = false;
};

}  // namespace talon::plugins::mcp
