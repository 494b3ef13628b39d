// SPDX-License-Identifier: Apache-2.0
// Approvals, grants and the policy over HTTP: GET /v1/approvals, GET and POST /v1/approvals/{id},
// GET and POST /v1/grants, DELETE /v1/grants/{id}, POST /v1/policy/explain. Loop's thread.
#pragma once

#include <string>

#include "base/json.h"
#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "io/http_server.h"
#include "io/task.h"

namespace talon::gateway {

// The call and why it is asked: call_id, tool, arguments, digest, reason, factor, judgement.
Json CallJson(const journal::ApprovalRecord& record);
// As a person is shown it, without anything of the code.
Json ApprovalJson(const journal::ApprovalRecord& record);

class ApprovalSurface {
 public:
  explicit ApprovalSurface(Dependencies& deps) : deps_(deps) {}  // must outlive this
  // False when no route of this surface fits.
  io::Task<bool> Serve(const ApiRequest& request, io::ResponseWriter& writer);

 private:
  io::Task<io::ServerResponse> List(const ApiRequest& request);
  io::Task<io::ServerResponse> Show(const ApiRequest& request, std::string id);
  io::Task<io::ServerResponse> Answer(const ApiRequest& request, std::string id);
  io::Task<io::ServerResponse> Grants(const ApiRequest& request);
  io::Task<io::ServerResponse> AddGrant(const ApiRequest& request);
  io::Task<io::ServerResponse> RemoveGrant(const ApiRequest& request, std::string id);
  io::Task<io::ServerResponse> Explain(const ApiRequest& request);
  Dependencies& deps_;
};

}  // namespace talon::gateway
