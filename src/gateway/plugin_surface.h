// SPDX-License-Identifier: Apache-2.0
// /v1/plugins…: what an operator sees of the plugins and does with them. Loop's thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"
#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "io/http_server.h"
#include "io/task.h"

namespace talon::gateway {

class PluginSurface {
 public:
  // Must outlive this.
  explicit PluginSurface(Dependencies& deps) : deps_(deps) {}
  // False when the request is for another surface.
  io::Task<bool> Serve(const ApiRequest& request, io::ResponseWriter& writer);
  // Ends what would go on for ever. The daemon stops.
  void End() { ending_.Cancel(Cancelled("the daemon stops")); }

 private:
  io::Task<io::ServerResponse> List();
  io::Task<io::ServerResponse> Inspect(std::string name);
  io::Task<io::ServerResponse> Change(const ApiRequest& request, std::string name,
                                      std::string verb);
  io::Task<absl::Status> Trust(const ApiRequest& request, std::string name);
  io::Task<void> Logs(const ApiRequest& request, std::string name, io::ResponseWriter& writer);
  // Calls one of the plugin's tools for the person at the other end.
  io::Task<io::ServerResponse> RunTool(const ApiRequest& request, std::string name);
  Dependencies& deps_;
  CancelSource ending_;  // of those who follow logs
};

}  // namespace talon::gateway
