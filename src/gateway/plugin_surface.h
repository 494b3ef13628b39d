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
#include "gateway/options.h"
#include "gateway/tool_run.h"
#include "io/http_server.h"
#include "io/task.h"

namespace talon::gateway {

class PluginSurface {
 public:
  // Both must outlive this.
  PluginSurface(Dependencies& deps, const GatewayOptions& options)
      : deps_(deps), runs_(deps, options) {}
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
  Dependencies& deps_;
  ToolRuns runs_;
  CancelSource ending_;  // of those who follow logs
};

}  // namespace talon::gateway
