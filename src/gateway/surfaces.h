// SPDX-License-Identifier: Apache-2.0
// The handlers behind the gateway's routes, one class a surface. Loop's thread.
#pragma once

#include <string>

#include "gateway/gateway.h"
#include "gateway/openai_wire.h"
#include "io/http_server.h"
#include "io/task.h"

namespace talon::gateway {

// POST /v1/chat/completions and GET /v1/models.
class CompletionsSurface {
 public:
  explicit CompletionsSurface(Dependencies& deps) : deps_(deps) {}
  io::Task<void> Complete(io::ServerRequest request, io::ResponseWriter& writer);
  io::Task<void> Models(io::ResponseWriter& writer);

 private:
  io::Task<void> RunAgent(const io::ServerRequest& request, ChatCompletionRequest chat,
                          io::ResponseWriter& writer);
  io::Task<void> PassThrough(const io::ServerRequest& request, ChatCompletionRequest chat,
                             io::ResponseWriter& writer);
  Dependencies& deps_;
};

// The native API: turns with tool events, sessions, plugins, tools, context, status.
class NativeSurface {
 public:
  explicit NativeSurface(Dependencies& deps) : deps_(deps), started_(deps.clock.Now()) {}
  // False when no route of this surface fits.
  io::Task<bool> Serve(const io::ServerRequest& request, io::ResponseWriter& writer);
  io::ServerResponse Health() const;

 private:
  io::Task<void> StartTurn(const io::ServerRequest& request, io::ResponseWriter& writer);
  io::Task<io::ServerResponse> Turn(const io::ServerRequest& request, std::string id);
  io::Task<io::ServerResponse> Session(const io::ServerRequest& request, std::string id);
  io::Task<io::ServerResponse> Sessions(const io::ServerRequest& request);
  io::Task<io::ServerResponse> Messages(std::string id);
  io::Task<io::ServerResponse> ContextReport(const io::ServerRequest& request);
  io::ServerResponse Plugins() const;
  io::ServerResponse Tools() const;
  io::ServerResponse Status() const;
  Dependencies& deps_;
  WallTime started_;
};

// The person behind an authenticated request. One owner until accounts exist.
Principal PrincipalOf(const io::ServerRequest& request, std::string_view origin);

}  // namespace talon::gateway
