// SPDX-License-Identifier: Apache-2.0
// One call of a plugin's tool for the person at the other end of a request (`talon plugins run`),
// on the way of a model's call: guard, hooks, plugin, hooks, guard. It belongs to no turn and is
// not recorded. Where the request wants a stream the person hears what the tool tells and is asked
// what it asks; elsewhere questions are cancelled. Loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "gateway/options.h"
#include "io/http_server.h"
#include "io/task.h"

namespace talon::gateway {

struct AskedPerson;  // a question that is open

class ToolRuns {
 public:
  // Both must outlive this.
  ToolRuns(Dependencies& deps, const GatewayOptions& options) : deps_(deps), options_(options) {}

  // POST /v1/plugins/{plugin}/run {tool, arguments?, stream?}
  io::Task<void> Run(const ApiRequest& request, std::string plugin, io::ResponseWriter& writer);
  // POST /v1/plugins/{plugin}/questions/{question} {action, content?}
  io::ServerResponse Answer(const ApiRequest& request, const std::string& question);

 private:
  friend class ToolRun;
  Dependencies& deps_;
  const GatewayOptions& options_;
  std::map<std::string, std::shared_ptr<AskedPerson>> questions_;  // by id
};

}  // namespace talon::gateway
