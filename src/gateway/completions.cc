// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "gateway/agent_request.h"
#include "gateway/api.h"
#include "gateway/surfaces.h"
#include "io/nursery.h"

namespace talon::gateway {
namespace {

std::int64_t UnixSeconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

io::ServerResponse StreamHead() {
  io::ServerResponse head;
  head.headers.Set("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.Set("Cache-Control", "no-cache");
  head.headers.Set("X-Accel-Buffering", "no");
  return head;
}

// Deltas of a passed-through model call.
class PassSink : public model::DeltaSink {
 public:
  explicit PassSink(TurnStream& stream) : stream_(stream) {}
  void OnText(std::string_view text) override { stream_.OnText(text); }
  void OnReasoning(std::string_view text) override { stream_.OnReasoning(text); }

 private:
  TurnStream& stream_;
};

model::ChatRequest RequestOf(ChatCompletionRequest chat) {
  model::ChatRequest ask;
  ask.system = std::move(chat.instructions);
  ask.messages = std::move(chat.messages);
  ask.tools = std::move(chat.tools);
  ask.tool_choice = chat.tool_choice;
  ask.max_output_tokens = chat.max_output_tokens;
  ask.temperature = chat.temperature;
  ask.top_p = chat.top_p;
  ask.stop = std::move(chat.stop);
  ask.reasoning = chat.reasoning;
  ask.user = std::move(chat.user);
  ask.extra = std::move(chat.extra);
  return ask;
}

void NameTurn(const journal::Accepted& accepted, io::Headers& headers) {
  headers.Set("X-Talon-Turn", accepted.turn.str());
  headers.Set("X-Talon-Session", accepted.session.str());
}

agent::TurnAnswer AnswerOf(const model::ChatResponse& response, std::string model) {
  agent::TurnAnswer answer;
  answer.text = model::TextOf(response.message);
  answer.client_calls = model::ToolCallsOf(response.message);
  answer.finish_reason = response.finish_reason;
  answer.usage = response.usage;
  answer.model = std::move(model);
  answer.rounds = 1;
  return answer;
}

Json ModelJson(std::string id, std::string_view owner) {
  return {{"id", std::move(id)}, {"object", "model"}, {"created", 0}, {"owned_by", owner}};
}

Json RouteJson(const router::Route& route) {
  Json json = ModelJson(route.name(), route.provider);
  if (!route.alias.empty()) json["alias"] = route.alias;
  json["context_window"] = route.limits.context_window;
  return json;
}

// The router knows only models; whoever has the wrong name may have meant the agent.
absl::Status NamingAgent(const absl::Status& error) {
  if (ReasonOf(error) != ErrorReason::kUnknownModel) return error;
  return MakeError(error.code(), ErrorReason::kUnknownModel,
                   fmt::format("{}; the agent is '{}'", Message(error), kAgentModel));
}

PassedAnswer PassedOf(const model::ChatResponse& response) {
  PassedAnswer passed;
  passed.logprobs = response.logprobs;
  for (const model::Part& part : response.message.parts) {
    if (const auto* thought = std::get_if<model::ReasoningPart>(&part)) {
      passed.reasoning += thought->text;
    }
  }
  return passed;
}

}  // namespace

io::Task<void> CompletionsSurface::Models(io::ResponseWriter& writer) {
  Json data = Json::array({ModelJson(std::string(kAgentModel), "talon")});
  for (const router::Route& route : deps_.router.List()) data.push_back(RouteJson(route));
  co_await Reply(writer, Ok({{"object", "list"}, {"data", std::move(data)}}));
}

io::Task<void> CompletionsSurface::Model(std::string name, io::ResponseWriter& writer) {
  io::ServerResponse response;
  if (name == kAgentModel) {
    response = Ok(ModelJson(std::move(name), "talon"));
  } else if (auto route = deps_.router.Resolve(name); route.ok()) {
    response = Ok(RouteJson(*route));
  } else {
    response = ErrorResponse(NamingAgent(route.status()));
  }
  co_await Reply(writer, std::move(response));
}

io::Task<void> CompletionsSurface::Complete(ApiRequest request, io::ResponseWriter& writer) {
  auto chat = ParseChatCompletion(request.body);
  if (!chat.ok()) {
    co_await Reply(writer, ErrorResponse(chat.status()));
    co_return;
  }
  if (chat->model == kAgentModel || chat->model.starts_with("talon:")) {
    co_await RunAgent(request, *std::move(chat), writer);
  } else {
    co_await PassThrough(request, *std::move(chat), writer);
  }
}

absl::Status CompletionsSurface::CheckTools(const ChatCompletionRequest& chat) const {
  for (const model::ToolDefinition& tool : chat.tools) {
    const tool::Entry* own = deps_.catalogue.Find(tool.name);
    if (own == nullptr || own->tool->spec().name != tool.name) continue;
    return InvalidArgument(
        fmt::format("tools: '{}' is a tool of the agent's own; rename yours", tool.name));
  }
  return absl::OkStatus();
}

io::Task<void> CompletionsSurface::RunAgent(const ApiRequest& request, ChatCompletionRequest chat,
                                            io::ResponseWriter& writer) {
  std::string session(request.headers.Get("X-Talon-Session"));
  if (session.empty() && !chat.user.empty()) session = "user:" + chat.user;
  absl::Status fits = CheckTools(chat);
  if (fits.ok()) fits = CheckMembers(chat);
  if (fits.ok() && session.empty()) fits = chat.stray_result;
  if (!fits.ok()) {
    co_await Reply(writer, ErrorResponse(fits));
    co_return;
  }
  journal::EventEnvelope event = EventOf(request, "http", "http", std::move(session));
  StartedTurn started;
  started.keyed = !event.dedupe_key.empty();
  started.client_gone = request.client_gone;
  CompletionIds ids{.id = "", .model = chat.model, .created = UnixSeconds(deps_.clock.Now())};
  const bool streams = chat.stream;
  const bool include_usage = chat.include_usage;
  agent::TurnInput input =
      InputOf(std::move(chat), event.session_key.empty() ? History::kWhole : History::kKept);

  OpenAiStream format(ids, include_usage);
  TurnStream stream(format, deps_.loop, deps_.clock, options_, request.headers);
  auto accepted =
      co_await deps_.agent.Submit(std::move(event), std::move(input), streams ? &stream : nullptr);
  if (!accepted.ok()) {
    co_await Reply(writer, ErrorResponse(accepted.status()));
    co_return;
  }
  started.accepted = *std::move(accepted);
  ids.id = "chatcmpl-" + started.accepted.turn.str();
  format = OpenAiStream(ids, include_usage);
  const CancelRegistration gone = CancelWhenGone(deps_.agent, started);
  if (streams) {
    co_await SendStream(started, stream, format.Start(), writer);
  } else {
    co_await SendAnswer(started, ids, writer);
  }
}

io::Task<void> CompletionsSurface::SendAnswer(const StartedTurn& started, const CompletionIds& ids,
                                              io::ResponseWriter& writer) {
  CallContext wait;
  wait.cancel = started.client_gone;
  auto outcome = co_await deps_.agent.Await(started.accepted.turn, wait);
  const absl::Status error = outcome.ok() ? outcome->error : outcome.status();
  io::ServerResponse response =
      error.ok() ? JsonResponse(200, FormatCompletion(ids, outcome->answer)) : ErrorResponse(error);
  NameTurn(started.accepted, response.headers);
  co_await Reply(writer, std::move(response));
}

io::Task<void> CompletionsSurface::SendStream(const StartedTurn& started, TurnStream& stream,
                                              std::string start, io::ResponseWriter& writer) {
  const TurnId& turn = started.accepted.turn;
  if (started.accepted.duplicate) co_await deps_.agent.Watch(turn, stream);
  co_await stream.Begun();
  if (!stream.early_error().ok()) {
    io::ServerResponse response = ErrorResponse(stream.early_error());
    NameTurn(started.accepted, response.headers);
    co_await Reply(writer, std::move(response));
    co_return;
  }
  io::ServerResponse head = StreamHead();
  NameTurn(started.accepted, head.headers);
  absl::Status written = co_await writer.StartStream(std::move(head));
  if (written.ok()) written = co_await writer.Write(std::move(start));
  if (written.ok()) written = co_await stream.Pump(writer);
  deps_.agent.Forget(turn, &stream);
  if (!written.ok() && !started.keyed) {
    deps_.agent.Cancel(turn, Cancelled("the client went away"));
  }
}

io::Task<void> CompletionsSurface::PassThrough(const ApiRequest& request,
                                               ChatCompletionRequest chat,
                                               io::ResponseWriter& writer) {
  auto route = deps_.router.Resolve(chat.model);
  const absl::Status fits = route.ok() ? chat.stray_result : NamingAgent(route.status());
  if (!fits.ok()) {
    co_await Reply(writer, ErrorResponse(fits));
    co_return;
  }
  const std::string name = route->name();
  std::vector<router::Route> chain;
  chain.push_back(*std::move(route));
  CallContext context;
  context.principal = PrincipalOf(request, "http");
  context.cancel = request.client_gone;
  context.trace_id = "pass_" + deps_.ids.Next();
  const CompletionIds ids{.id = "chatcmpl-" + context.trace_id,
                          .model = chat.model,
                          .created = UnixSeconds(deps_.clock.Now())};
  if (chat.stream) {
    OpenAiStream format(ids, chat.include_usage);
    co_await StreamModel(request, std::move(chain), RequestOf(std::move(chat)), context, format,
                         writer);
    co_return;
  }
  auto routed = co_await deps_.router.Complete(std::move(chain), RequestOf(std::move(chat)),
                                               context, nullptr);
  co_await Reply(writer, routed.ok() ? JsonResponse(200, FormatCompletion(
                                                             ids, AnswerOf(routed->response, name),
                                                             PassedOf(routed->response)))
                                     : ErrorResponse(routed.status()));
}

io::Task<void> CompletionsSurface::StreamModel(const ApiRequest& request,
                                               std::vector<router::Route> chain,
                                               model::ChatRequest ask, CallContext context,
                                               OpenAiStream& format, io::ResponseWriter& writer) {
  TurnStream stream(format, deps_.loop, deps_.clock, options_, request.headers);
  PassSink sink(stream);
  CancelSource unread(context.cancel);
  context.cancel = unread.token();
  io::Nursery nursery(deps_.loop);
  nursery.Spawn([](router::Router* router, std::vector<router::Route> to, model::ChatRequest what,
                   CallContext until, PassSink* out, TurnStream* end,
                   OpenAiStream* last) -> io::Task<void> {
    const std::string name = to.front().name();
    auto routed = co_await router->Complete(std::move(to), std::move(what), until, out);
    agent::TurnOutcome outcome;
    outcome.error = routed.status();
    if (routed.ok()) {
      outcome.answer = AnswerOf(routed->response, name);
      last->SetLogprobs(routed->response.logprobs);
    }
    end->OnEnd(outcome);
  }(&deps_.router, std::move(chain), std::move(ask), context, &sink, &stream, &format));
  co_await stream.Begun();
  absl::Status written = stream.early_error();
  if (!written.ok()) {
    co_await Reply(writer, ErrorResponse(written));
  } else {
    written = co_await writer.StartStream(StreamHead());
    if (written.ok()) written = co_await writer.Write(format.Start());
    if (written.ok()) written = co_await stream.Pump(writer);
  }
  if (!written.ok()) unread.Cancel(written);
  co_await nursery.Join();
}

}  // namespace talon::gateway
