// SPDX-License-Identifier: Apache-2.0
// One configured server's life: connected in the background, listed, watched, connected again with
// growing pauses when it breaks. Its failures stay its own. Calls from any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "mcp/client.h"
#include "mcp/config.h"
#include "mcp/listing_cache.h"
#include "mcp/oauth.h"
#include "mcp/offer.h"

namespace talon::plugins::mcp {

struct ServerPlace {
  std::string workspace;  // the agent's folder; may be empty
  std::string data;       // the plugin's own folder: home of child processes; may be empty
};

class Server {
 public:
  // `on_change`: the offers are others than before; on the server's thread.
  Server(ServerConfig config, ServerPlace place, std::function<void()> on_change);
  ~Server();  // stops

  void Start();
  void Stop();
  // Waits until the first attempt has succeeded or failed; false at the deadline.
  bool WaitSettled(Clock::time_point deadline, int cancel_fd = -1);
  // The same, but what it listed last time is enough.
  void WaitOffered(Clock::time_point deadline);

  const ServerConfig& config() const { return config_; }

  std::vector<Offer> offers() const;
  sdk::Result Call(const Offer& offer, const Json& arguments, Caller& caller);
  // Without an address: the page where the person signs in. With the one that led to: takes the
  // token and connects anew.
  sdk::Result SignIn(const std::string& address, const Caller& caller);

  // For people and `status`.
  struct State {
    std::string name, where, condition, protocol, about, error;
    std::size_t tools = 0;
    int restarts = 0;
  };
  State state() const;

 private:
  struct Link;     // one connection
  struct Signals;  // what its own thread has to say

  void Run();
  absl::StatusOr<std::shared_ptr<Link>> Connect();
  // Until the connection is over or all is; answers why.
  absl::Status Serve(Link& link);
  absl::StatusOr<std::vector<Offer>> ReadOffers(Client& client);
  bool Refresh(Client& client);
  void Publish(std::vector<Offer> offers);
  // `settled`: nothing is being tried at the moment, or it has worked.
  void SetLink(std::shared_ptr<Link> link, const absl::Status& why, bool settled);
  void Drop(const std::shared_ptr<Signals>& signals);
  bool stopping() const;
  absl::StatusOr<std::shared_ptr<Link>> WaitForLink(Caller& caller);
  absl::StatusOr<sdk::Result> CallOnce(Client& client, const Offer& offer, const Json& arguments,
                                       Caller& caller);
  std::unique_ptr<Wire> MakeWire() const;
  absl::Status CheckRoots() const;
  // `why` with what the sandbox may lack, when that can be seen.
  absl::Status WithGrants(const absl::Status& why) const;
  Json Roots() const;

  const ServerConfig config_;
  const ServerPlace place_;
  const ListingCache cache_;
  const std::function<void()> on_change_;
  std::unique_ptr<Tokens> tokens_;  // null: it gets none
  std::thread thread_;
  Bell stop_;   // rung once, never taken: cancels what the server's own thread waits for
  Bell event_;  // wakes the server's own thread
  Bell again_;  // ends its pause before the next connection

  mutable std::mutex mutex_;  // guards what follows
  bool stopping_ = false;
  bool settled_ = false;
  std::shared_ptr<Link> link_;  // shared with calls under way
  std::vector<Offer> offers_;
  std::vector<Bell*> waiting_;  // rung when link_ or settled_ changes
  absl::Status error_;
  int connections_ = 0;
};

}  // namespace talon::plugins::mcp
