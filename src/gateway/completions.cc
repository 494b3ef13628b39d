// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "base/status.h"
#include "gateway/api.h"
#include "gateway/surfaces.h"
#include "guard/guard.h"
#include "io/nursery.h"

namespace talon::gateway {
namespace {

constexpr std::string_view kAgentModel = "talon";

std::int64_t UnixSeconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// In a session the daemon keeps the history: of what the client repeats only the new end counts.
std::vector<model::Message> NewMessages(std::vector<model::Message> messages) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == model::Role::kAssistant) first = i + 1;
  }
  messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(first));
  return messages;
}

// Results of tools the client ran are data from outside, like a plugin's.
void GuardClientResults(std::vector<model::Message>& messages) {
  for (model::Message& message : messages) {
    for (model::Part& part : message.parts) {
      auto* result = std::get_if<model::ToolResult>(&part);
      if (result == nullptr) continue;
      result->content =
          guard::WrapPluginOutput("client", result->name.empty() ? "tool" : result->name,
                                  guard::SanitizeUntrusted(result->content, nullptr));
    }
  }
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

}  // namespace

Principal PrincipalOf(const io::ServerRequest& request, std::string_view origin) {
  (void)request;
  Principal principal;
  principal.origin = origin;
  return principal;
}

io::Task<void> CompletionsSurface::Models(io::ResponseWriter& writer) {
  Json data = Json::array();
  auto add = [&](std::string id, std::string owner, const router::Route* route) {
    Json item = {{"id", std::move(id)}, {"object", "model"}, {"created", 0}, {"owned_by", owner}};
    if (route != nullptr) {
      if (!route->alias.empty()) item["alias"] = route->alias;
      item["context_window"] = route->limits.context_window;
    }
    data.push_back(std::move(item));
  };
  add(std::string(kAgentModel), "talon", nullptr);
  for (const router::Route& route : deps_.router.List()) add(route.name(), route.provider, &route);
  co_await Reply(writer, JsonResponse(200, DumpJson({{"object", "list"}, {"data", data}})));
}

io::Task<void> CompletionsSurface::Complete(io::ServerRequest request, io::ResponseWriter& writer) {
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

io::Task<void> CompletionsSurface::RunAgent(const io::ServerRequest& request,
                                            ChatCompletionRequest chat,
                                            io::ResponseWriter& writer) {
  for (const model::ToolDefinition& tool : chat.tools) {
    if (deps_.catalogue.Find(tool.name) == nullptr) continue;
    co_await Reply(writer,
                   ErrorResponse(InvalidArgument(fmt::format(
                       "tools: '{}' is a tool of the agent's own; rename yours", tool.name))));
    co_return;
  }
  journal::EventEnvelope event;
  event.source = "http";
  event.principal = PrincipalOf(request, "http");
  event.label.integrity = Integrity::kUser;
  event.session_key = std::string(request.headers.Get("X-Talon-Session"));
  if (event.session_key.empty() && !chat.user.empty()) event.session_key = "user:" + chat.user;
  event.dedupe_key = std::string(request.headers.Get("Idempotency-Key"));
  if (!event.dedupe_key.empty()) event.payload_digest = Sha256Hex(request.body);

  agent::TurnInput input;
  input.messages =
      event.session_key.empty() ? std::move(chat.messages) : NewMessages(std::move(chat.messages));
  GuardClientResults(input.messages);
  if (chat.model.size() > kAgentModel.size())
    input.model = chat.model.substr(kAgentModel.size() + 1);
  input.instructions = std::move(chat.instructions);
  input.client_tools = std::move(chat.tools);
  input.tool_choice = chat.tool_choice;
  input.max_output_tokens = chat.max_output_tokens;
  input.temperature = chat.temperature;
  input.top_p = chat.top_p;
  input.stop = std::move(chat.stop);

  CompletionIds ids{.id = "", .model = chat.model, .created = UnixSeconds(deps_.clock.Now())};
  OpenAiStream format(ids, chat.include_usage);
  TurnStream stream(format);
  const bool keyed = !event.dedupe_key.empty();
  auto accepted = co_await deps_.agent.Submit(std::move(event), std::move(input),
                                              chat.stream ? &stream : nullptr);
  if (!accepted.ok()) {
    co_await Reply(writer, ErrorResponse(accepted.status()));
    co_return;
  }
  const TurnId turn = accepted->turn;
  ids.id = "chatcmpl-" + turn.str();
  format = OpenAiStream(ids, chat.include_usage);
  // Without a key nobody can ask for the answer again, so nobody waits for it.
  auto gone = request.client_gone.OnCancel([this, turn, keyed] {
    if (!keyed) deps_.agent.Cancel(turn, Cancelled("the client went away"));
  });
  CallContext wait;
  wait.cancel = request.client_gone;

  if (chat.stream) {
    io::ServerResponse head = StreamHead();
    head.headers.Set("X-Talon-Turn", turn.str());
    head.headers.Set("X-Talon-Session", accepted->session.str());
    absl::Status written = co_await writer.StartStream(std::move(head));
    if (written.ok()) written = co_await writer.Write(format.Start());
    if (written.ok() && accepted->duplicate) {
      auto outcome = co_await deps_.agent.Await(turn, wait);
      if (!outcome.ok())
        outcome = agent::TurnOutcome{
            .turn = turn, .session = {}, .state = {}, .answer = {}, .error = outcome.status()};
      stream.OnEnd(*outcome);
    }
    if (written.ok()) written = co_await stream.Pump(writer);
    deps_.agent.Forget(turn, &stream);
    if (written.ok()) deps_.agent.Delivered(turn);
    if (!written.ok() && !keyed) deps_.agent.Cancel(turn, Cancelled("the client went away"));
    co_return;
  }
  auto outcome = co_await deps_.agent.Await(turn, wait);
  absl::Status error = outcome.ok() ? outcome->error : outcome.status();
  io::ServerResponse response =
      error.ok() ? JsonResponse(200, FormatCompletion(ids, outcome->answer)) : ErrorResponse(error);
  response.headers.Set("X-Talon-Turn", turn.str());
  response.headers.Set("X-Talon-Session", accepted->session.str());
  if ((co_await writer.Send(std::move(response))).ok()) deps_.agent.Delivered(turn);
}

io::Task<void> CompletionsSurface::PassThrough(const io::ServerRequest& request,
                                               ChatCompletionRequest chat,
                                               io::ResponseWriter& writer) {
  auto route = deps_.router.Resolve(chat.model);
  if (!route.ok()) {
    co_await Reply(writer, ErrorResponse(route.status()));
    co_return;
  }
  model::ChatRequest ask;
  ask.system = std::move(chat.instructions);
  ask.messages = std::move(chat.messages);
  ask.tools = std::move(chat.tools);
  ask.tool_choice = chat.tool_choice;
  ask.max_output_tokens = chat.max_output_tokens;
  ask.temperature = chat.temperature;
  ask.top_p = chat.top_p;
  ask.stop = std::move(chat.stop);
  CallContext context;
  context.principal = PrincipalOf(request, "http");
  context.cancel = request.client_gone;
  context.trace_id = "pass_" + deps_.ids.Next();
  const CompletionIds ids{.id = "chatcmpl-" + context.trace_id,
                          .model = chat.model,
                          .created = UnixSeconds(deps_.clock.Now())};
  std::vector<router::Route> chain;
  chain.push_back(*route);

  if (!chat.stream) {
    auto routed = co_await deps_.router.Complete(chain, std::move(ask), context, nullptr);
    co_await Reply(
        writer, routed.ok() ? JsonResponse(200, FormatCompletion(
                                                    ids, AnswerOf(routed->response, route->name())))
                            : ErrorResponse(routed.status()));
    co_return;
  }
  OpenAiStream format(ids, chat.include_usage);
  TurnStream stream(format);
  PassSink sink(stream);
  io::Nursery nursery(deps_.loop);
  nursery.Spawn([](Dependencies* deps, std::vector<router::Route> to, model::ChatRequest what,
                   CallContext until, PassSink* out, TurnStream* end) -> io::Task<void> {
    const std::string name = to.front().name();
    auto routed = co_await deps->router.Complete(std::move(to), std::move(what), until, out);
    agent::TurnOutcome outcome;
    outcome.error = routed.status();
    if (routed.ok()) outcome.answer = AnswerOf(routed->response, name);
    end->OnEnd(outcome);
  }(&deps_, std::move(chain), std::move(ask), context, &sink, &stream));
  absl::Status written = co_await writer.StartStream(StreamHead());
  if (written.ok()) written = co_await writer.Write(format.Start());
  if (written.ok()) written = co_await stream.Pump(writer);
  co_await nursery.Join();
}

}  // namespace talon::gateway
