// SPDX-License-Identifier: Apache-2.0
// The handlers behind the gateway's routes, one class a surface. Loop's thread.
#pragma once

#include <string>

#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "gateway/openai_wire.h"
#include "gateway/options.h"
#include "gateway/turn_stream.h"
#include "io/http_server.h"
#include "io/task.h"

namespace talon::gateway {

// A turn that a request began, or asked for again.
struct StartedTurn {
  journal::Accepted accepted;
  bool keyed = false;  // the request can be repeated: its turn outlives the client
  CancelToken client_gone;
};

// POST /v1/chat/completions, GET /v1/models and GET /v1/models/{name}.
class CompletionsSurface {
 public:
  // Both must outlive this.
  CompletionsSurface(Dependencies& deps, const GatewayOptions& options)
      : deps_(deps), options_(options) {}
  io::Task<void> Complete(ApiRequest request, io::ResponseWriter& writer);
  io::Task<void> Models(io::ResponseWriter& writer);
  io::Task<void> Model(std::string name, io::ResponseWriter& writer);

 private:
  io::Task<void> RunAgent(const ApiRequest& request, ChatCompletionRequest chat,
                          io::ResponseWriter& writer);
  io::Task<void> PassThrough(const ApiRequest& request, ChatCompletionRequest chat,
                             io::ResponseWriter& writer);
  absl::Status CheckTools(const ChatCompletionRequest& chat) const;
  // The rest of an exchange once its turn is accepted.
  io::Task<void> SendAnswer(const StartedTurn& started, const CompletionIds& ids,
                            io::ResponseWriter& writer);
  io::Task<void> SendStream(const StartedTurn& started, TurnStream& stream, std::string start,
                            io::ResponseWriter& writer);
  io::Task<void> StreamModel(const ApiRequest& request, std::vector<router::Route> chain,
                             model::ChatRequest ask, CallContext context, OpenAiStream& format,
                             io::ResponseWriter& writer);
  Dependencies& deps_;
  const GatewayOptions& options_;
};

// The native API: turns with tool events, sessions, tools, context, status.
class NativeSurface {
 public:
  // Both must outlive this.
  NativeSurface(Dependencies& deps, const GatewayOptions& options)
      : deps_(deps), options_(options), started_(deps.clock.Now()) {}
  // False when no route of this surface fits.
  io::Task<bool> Serve(const ApiRequest& request, io::ResponseWriter& writer);
  io::ServerResponse Health() const;

 private:
  io::Task<void> StartTurn(const ApiRequest& request, io::ResponseWriter& writer);
  io::Task<void> SendAnswer(const StartedTurn& started, io::ResponseWriter& writer);
  io::Task<void> SendStream(const StartedTurn& started, TurnStream& stream,
                            io::ResponseWriter& writer);
  io::Task<io::ServerResponse> AnswerQuestion(const ApiRequest& request);
  io::Task<io::ServerResponse> Turn(const ApiRequest& request, std::string id);
  // What its tool calls changed, or may have, and how that can be undone.
  io::Task<io::ServerResponse> Effects(const ApiRequest& request, std::string id);
  io::Task<io::ServerResponse> CancelTurn(const ApiRequest& request, std::string id);
  // NotFound unless there is such a turn and it is the caller's.
  io::Task<absl::Status> CheckTurn(const ApiRequest& request, const std::string& id);
  io::Task<io::ServerResponse> Session(const ApiRequest& request, std::string id);
  io::Task<io::ServerResponse> Sessions(const ApiRequest& request);
  io::Task<io::ServerResponse> Messages(const ApiRequest& request, std::string id);
  io::Task<absl::StatusOr<journal::SessionRecord>> FindSession(const ApiRequest& request,
                                                               std::string id);
  io::Task<io::ServerResponse> ContextReport(const ApiRequest& request);
  io::ServerResponse Tools() const;
  io::ServerResponse Status() const;
  Dependencies& deps_;
  const GatewayOptions& options_;
  WallTime started_;
};

// The event a request is, with its idempotency key; two requests are the same when path, session
// and body are.
journal::EventEnvelope EventOf(const ApiRequest& request, std::string_view source,
                               std::string_view origin, std::string session_key);

// Without a key nobody can ask for the answer again, so the turn ends with its client. Keep the
// registration while the request lives.
[[nodiscard]] CancelRegistration CancelWhenGone(agent::Agent& agent, const StartedTurn& started);

}  // namespace talon::gateway
