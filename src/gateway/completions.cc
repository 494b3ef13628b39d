// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

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
      result->content = guard::WrapPluginOutput(
          "client", result->name.empty() ? "tool" : result->name,
          guard::SanitizeUntrusted(result->content, nullptr, guard::HiddenText::kShow));
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

agent::TurnInput InputOf(ChatCompletionRequest chat, bool in_session) {
  agent::TurnInput input;
  input.messages = in_session ? NewMessages(std::move(chat.messages)) : std::move(chat.messages);
  GuardClientResults(input.messages);
  if (chat.model.size() > kAgentModel.size()) {
    input.model = chat.model.substr(kAgentModel.size() + 1);
  }
  input.instructions = std::move(chat.instructions);
  input.client_tools = std::move(chat.tools);
  input.tool_choice = chat.tool_choice;
  input.only_tool = std::move(chat.only_tool);
  input.max_output_tokens = chat.max_output_tokens;
  input.temperature = chat.temperature;
  input.top_p = chat.top_p;
  input.stop = std::move(chat.stop);
  return input;
}

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
  if (absl::Status tools = CheckTools(chat); !tools.ok()) {
    co_await Reply(writer, ErrorResponse(tools));
    co_return;
  }
  std::string session(request.headers.Get("X-Talon-Session"));
  if (session.empty() && !chat.user.empty()) session = "user:" + chat.user;
  journal::EventEnvelope event = EventOf(request, "http", "http", std::move(session));
  StartedTurn started;
  started.keyed = !event.dedupe_key.empty();
  started.client_gone = request.client_gone;
  CompletionIds ids{.id = "", .model = chat.model, .created = UnixSeconds(deps_.clock.Now())};
  const bool streams = chat.stream;
  const bool include_usage = chat.include_usage;
  agent::TurnInput input = InputOf(std::move(chat), !event.session_key.empty());

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
  if (started.accepted.duplicate) {
    CallContext wait;
    wait.cancel = started.client_gone;
    auto outcome = co_await deps_.agent.Await(turn, wait);
    agent::TurnOutcome failed;
    failed.error = outcome.status();
    stream.OnEnd(outcome.ok() ? *outcome : failed);
  }
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
  if (!route.ok()) {
    co_await Reply(writer, ErrorResponse(route.status()));
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
