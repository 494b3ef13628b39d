// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "gateway/api.h"
#include "gateway/approvals.h"
#include "gateway/call_events.h"
#include "gateway/surfaces.h"
#include "io/http_types.h"
#include "io/sse.h"

namespace talon::gateway {
namespace {

Json UsageJson(const agent::TurnAnswer& answer) {
  return {{"input_tokens", answer.usage.input_tokens},
          {"output_tokens", answer.usage.output_tokens},
          {"cached_input_tokens", answer.usage.cached_input_tokens},
          {"reasoning_tokens", answer.usage.reasoning_tokens},
          {"cost_usd", answer.cost_usd}};
}

Json OutcomeJson(const agent::TurnOutcome& outcome) {
  Json json = {{"turn", outcome.turn.str()},
               {"session", outcome.session.str()},
               {"state", journal::TurnStateName(outcome.state)}};
  if (outcome.error.ok()) {
    json["text"] = outcome.answer.text;
    json["model"] = outcome.answer.model;
    json["rounds"] = outcome.answer.rounds;
    json["finish_reason"] = model::FinishReasonName(outcome.answer.finish_reason);
    json["usage"] = UsageJson(outcome.answer);
  } else if (auto error = ParseJson(ErrorBody(outcome.error), "error"); error.ok()) {
    json["error"] = (*error)["error"];
  }
  return json;
}

Json SessionJson(const journal::SessionRecord& session) {
  return {{"id", session.id.str()},
          {"key", session.key},
          {"title", session.title},
          {"model", session.model},
          {"messages", session.message_count},
          {"created_at", FormatTime(session.created_at)},
          {"updated_at", FormatTime(session.updated_at)}};
}

// The native event stream; docs/api.md lists its events.
class NativeStream : public CallEvents {
 public:
  std::string Text(std::string_view delta) override { return Delta("text_delta", delta); }
  std::string Reasoning(std::string_view delta) override { return Delta("reasoning_delta", delta); }
  std::string ToolStart(const agent::ToolActivity& activity) override {
    return io::FormatSse("tool_start", DumpJson({{"call_id", activity.call_id},
                                                 {"tool", activity.tool},
                                                 {"arguments", activity.arguments}}));
  }
  std::string ToolResult(const agent::ToolActivity& activity) override {
    return io::FormatSse("tool_result", DumpJson({{"call_id", activity.call_id},
                                                  {"tool", activity.tool},
                                                  {"is_error", activity.is_error},
                                                  {"duration_ms", activity.duration_ms},
                                                  {"result", activity.result}}));
  }
  std::string Approval(const agent::ApprovalRequest& request) override {
    Json json = ApprovalJson(request.record);
    if (!request.code_at.empty()) json["code_at"] = request.code_at;
    return io::FormatSse("approval", DumpJson(json));
  }
  std::string ApprovalClosed(const std::string& id, journal::ApprovalState state) override {
    return io::FormatSse(
        "approval_closed",
        DumpJson({{"approval", id}, {"state", journal::ApprovalStateName(state)}}));
  }
  std::string ApprovalMissing(const agent::ApprovalRequest& request) override {
    return io::FormatSse("approval_missing", DumpJson(CallJson(request.record)));
  }
  std::string End(const agent::TurnOutcome& outcome) override {
    return io::FormatSse(outcome.error.ok() ? "done" : "error", DumpJson(OutcomeJson(outcome)));
  }

 private:
  static std::string Delta(std::string_view event, std::string_view text) {
    std::string json = R"({"text":)";
    AppendJsonString(json, text);
    return io::FormatSse(event, json + "}");
  }
};

absl::Status CheckTurnBody(const Json& body) {
  for (const char* name : {"message", "session", "model", "mode", "origin", "approvals"}) {
    TALON_RETURN_IF_ERROR(CheckMember(body, name, JsonKind::kString));
  }
  TALON_RETURN_IF_ERROR(CheckMember(body, "stream", JsonKind::kBool));
  if (JsonString(body, "message").empty()) return InvalidArgument("message: missing or empty");
  const std::string mode = JsonString(body, "mode", "chat");
  if (mode != "chat" && mode != "task") {
    return InvalidArgument(fmt::format("mode: '{}' is not one of chat, task", mode));
  }
  const std::string approvals = JsonString(body, "approvals", "wait");
  if (approvals != "wait" && approvals != "refuse") {
    return InvalidArgument(fmt::format("approvals: '{}' is not one of wait, refuse", approvals));
  }
  const std::string origin = JsonString(body, "origin", "api");
  if (origin != "api" && origin != "cli") {
    return InvalidArgument(fmt::format("origin: '{}' is not one of api, cli", origin));
  }
  return absl::OkStatus();
}

// The id in "/v1/<collection>/<id><suffix>", empty when the target is another. Of the target as it
// was sent: an encoded '/' belongs to the id.
std::string IdIn(std::string_view target, std::string_view prefix, std::string_view suffix) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (!path.starts_with(prefix) || !path.ends_with(suffix)) return "";
  if (path.size() <= prefix.size() + suffix.size()) return "";
  const std::string_view id =
      path.substr(prefix.size(), path.size() - prefix.size() - suffix.size());
  return id.find('/') == std::string_view::npos ? io::PercentDecode(id) : "";
}

constexpr std::string_view kQuestions = "/questions/";

// "/v1/turns/{turn}/questions/{question}"
bool IsQuestion(std::string_view target) {
  return target.starts_with("/v1/turns/") && target.find(kQuestions) != std::string_view::npos;
}

// What a path of this surface takes; empty for other paths.
std::string_view MethodsOf(const ApiRequest& request) {
  const auto is = [&](std::string_view prefix, std::string_view suffix) {
    return !IdIn(request.target, prefix, suffix).empty();
  };
  const std::string_view path = request.path;
  if (path == "/v1/turns" || is("/v1/turns/", "/cancel") || IsQuestion(request.target)) {
    return "POST";
  }
  const bool read = path == "/v1/sessions" || path == "/v1/context" || path == "/v1/tools" ||
                    path == "/v1/status" || is("/v1/turns/", "") || is("/v1/turns/", "/effects") ||
                    is("/v1/sessions/", "/messages");
  return read ? "GET" : "";
}

}  // namespace

io::ServerResponse NativeSurface::Health() const {
  return Ok({{"status", "ok"}, {"version", deps_.version}});
}

io::Task<bool> NativeSurface::Serve(const ApiRequest& request, io::ResponseWriter& writer) {
  const std::string& path = request.path;
  const bool get = request.method == "GET";
  if (path == "/v1/turns" && request.method == "POST") {
    co_await StartTurn(request, writer);
    co_return true;
  }
  io::ServerResponse response;
  std::string id;
  if (!(id = IdIn(request.target, "/v1/turns/", "/cancel")).empty() && request.method == "POST") {
    response = co_await CancelTurn(request, id);
  } else if (IsQuestion(request.target) && request.method == "POST") {
    response = co_await AnswerQuestion(request);
  } else if (!(id = IdIn(request.target, "/v1/turns/", "/effects")).empty() && get) {
    response = co_await Effects(request, id);
  } else if (!(id = IdIn(request.target, "/v1/turns/", "")).empty() && get) {
    response = co_await Turn(request, id);
  } else if (path == "/v1/sessions" && get) {
    response = co_await Sessions(request);
  } else if (!(id = IdIn(request.target, "/v1/sessions/", "/messages")).empty() && get) {
    response = co_await Messages(request, id);
  } else if (!(id = IdIn(request.target, "/v1/sessions/", "")).empty()) {
    response = co_await Session(request, id);
  } else if (path == "/v1/context" && get) {
    response = co_await ContextReport(request);
  } else if (path == "/v1/tools" && get) {
    response = Tools();
  } else if (path == "/v1/status" && get) {
    response = Status();
  } else if (const std::string_view allowed = MethodsOf(request); !allowed.empty()) {
    response = WrongMethod(path, allowed);
  } else {
    co_return false;
  }
  co_await Reply(writer, std::move(response));
  co_return true;
}

io::Task<void> NativeSurface::StartTurn(const ApiRequest& request, io::ResponseWriter& writer) {
  auto body = ParseJson(request.body, "request body");
  if (!body.ok()) {
    co_await Reply(writer, ErrorResponse(body.status()));
    co_return;
  }
  if (absl::Status status = CheckTurnBody(*body); !status.ok()) {
    co_await Reply(writer, ErrorResponse(status));
    co_return;
  }
  journal::EventEnvelope event =
      EventOf(request, "api", JsonString(*body, "origin", "api"), JsonString(*body, "session"));
  StartedTurn started;
  started.keyed = !event.dedupe_key.empty();
  started.client_gone = request.client_gone;
  agent::TurnInput input;
  input.messages = {
      model::TextMessage(model::Role::kUser, JsonString(*body, "message"), Integrity::kUser)};
  input.model = JsonString(*body, "model");
  if (JsonString(*body, "mode") == "task") input.mode = agent::TurnMode::kTask;

  NativeStream format;
  TurnStream stream(format, deps_.loop, deps_.clock, options_, request.headers);
  const bool streams = JsonBool(*body, "stream", true);
  // Who watches is told of an approval; who does not must say that somebody looks for them.
  if (JsonString(*body, "approvals", streams ? "wait" : "refuse") == "wait") {
    input.approvals = agent::Approvals::kWait;
  }
  auto accepted =
      co_await deps_.agent.Submit(std::move(event), std::move(input), streams ? &stream : nullptr);
  if (!accepted.ok()) {
    co_await Reply(writer, ErrorResponse(accepted.status()));
    co_return;
  }
  started.accepted = *std::move(accepted);
  const CancelRegistration gone = CancelWhenGone(deps_.agent, started);
  if (streams) {
    co_await SendStream(started, stream, writer);
  } else {
    co_await SendAnswer(started, writer);
  }
}

io::Task<void> NativeSurface::SendAnswer(const StartedTurn& started, io::ResponseWriter& writer) {
  CallContext wait;
  wait.cancel = started.client_gone;
  auto outcome = co_await deps_.agent.Await(started.accepted.turn, wait);
  if (!outcome.ok()) {
    co_await Reply(writer, ErrorResponse(outcome.status()));
    co_return;
  }
  io::ServerResponse response = Ok(OutcomeJson(*outcome));
  if (!outcome->error.ok()) response.status = HttpStatusOf(outcome->error);
  co_await Reply(writer, std::move(response));
}

// The head comes at once: a client needs the turn's id to cancel it.
io::Task<void> NativeSurface::SendStream(const StartedTurn& started, TurnStream& stream,
                                         io::ResponseWriter& writer) {
  const TurnId& turn = started.accepted.turn;
  io::ServerResponse head;
  head.headers.Set("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.Set("Cache-Control", "no-cache");
  absl::Status written = co_await writer.StartStream(std::move(head));
  if (written.ok()) {
    written = co_await writer.Write(io::FormatSse(
        "turn_start",
        DumpJson({{"turn", turn.str()}, {"session", started.accepted.session.str()}})));
  }
  if (written.ok() && started.accepted.duplicate) {
    CallContext wait;
    wait.cancel = started.client_gone;
    auto outcome = co_await deps_.agent.Await(turn, wait);
    agent::TurnOutcome failed;
    failed.turn = turn;
    failed.session = started.accepted.session;
    failed.state = journal::TurnState::kRunning;
    failed.error = outcome.status();
    stream.OnEnd(outcome.ok() ? *outcome : failed);
  }
  if (written.ok()) written = co_await stream.Pump(writer);
  deps_.agent.Forget(turn, &stream);
  if (!written.ok() && !started.keyed) {
    deps_.agent.Cancel(turn, Cancelled("the client went away"));
  }
}

// POST /v1/turns/{turn}/questions/{question}
io::Task<io::ServerResponse> NativeSurface::AnswerQuestion(const ApiRequest& request) {
  const std::string_view target = request.target;
  const std::size_t at = target.find(kQuestions);
  const std::string turn = IdIn(target.substr(0, at), "/v1/turns/", "");
  const std::string question = IdIn(target.substr(at), kQuestions, "");
  if (turn.empty() || question.empty()) {
    co_return ErrorResponse(NotFound("a question is named by its turn's id and its own"));
  }
  auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  for (const auto& [name, kind] :
       {std::pair("action", JsonKind::kString), std::pair("content", JsonKind::kObject)}) {
    absl::Status member = CheckMember(*body, name, kind);
    if (!member.ok()) co_return ErrorResponse(member);
  }
  auto action = tool::ParseAnswerAction(JsonString(*body, "action"));
  if (!action.ok()) co_return ErrorResponse(action.status());
  const Json* content = JsonFind(*body, "content");
  absl::Status taken = co_await deps_.agent.Answer(
      PrincipalOf(request, "api"), TurnId(turn), QuestionId(question), *action,
      content == nullptr || content->is_null() ? "" : DumpJson(*content));
  if (!taken.ok()) co_return ErrorResponse(taken);
  co_return Ok({{"question", question}, {"action", tool::AnswerActionName(*action)}});
}

io::Task<absl::Status> NativeSurface::CheckTurn(const ApiRequest& request, const std::string& id) {
  const auto owner = co_await deps_.agent.OwnerOf(TurnId(id));
  if (!owner.ok()) co_return owner.status();
  // As for one that does not exist: others' turns are nobody's business.
  if (!IsOwn(request.caller, *owner)) co_return NotFound(fmt::format("no turn '{}'", id));
  co_return absl::OkStatus();
}

io::Task<io::ServerResponse> NativeSurface::CancelTurn(const ApiRequest& request, std::string id) {
  const absl::Status own = co_await CheckTurn(request, id);
  if (!own.ok()) co_return ErrorResponse(own);
  if (!deps_.agent.Cancel(TurnId(id), Cancelled("cancelled by the user"))) {
    co_return ErrorResponse(NotFound(fmt::format("turn '{}' does not run", id)));
  }
  co_return Ok({{"turn", id}, {"cancelled", true}});
}

io::Task<io::ServerResponse> NativeSurface::Turn(const ApiRequest& request, std::string id) {
  const absl::Status own = co_await CheckTurn(request, id);
  if (!own.ok()) co_return ErrorResponse(own);
  CallContext wait;
  wait.cancel = request.client_gone;
  if (QueryValue(request.query, "wait") != "true") wait.deadline = deps_.clock.SteadyNow();
  auto outcome = co_await deps_.agent.Await(TurnId(id), wait);
  if (outcome.status().code() == absl::StatusCode::kDeadlineExceeded) {
    co_return Ok({{"turn", id}, {"state", "running"}});
  }
  if (!outcome.ok()) co_return ErrorResponse(outcome.status());
  co_return Ok(OutcomeJson(*outcome));
}

io::Task<io::ServerResponse> NativeSurface::Effects(const ApiRequest& request, std::string id) {
  const absl::Status own = co_await CheckTurn(request, id);
  if (!own.ok()) co_return ErrorResponse(own);
  const auto effects = co_await deps_.journal.LoadEffects(TurnId(id));
  if (!effects.ok()) co_return ErrorResponse(effects.status());
  Json list = Json::array();
  for (const journal::EffectRecord& effect : *effects) {
    Json json = {{"call_id", effect.call_id},
                 {"tool", effect.tool},
                 {"effect", effect.effect_class},
                 {"state", journal::EffectStateName(effect.state)}};
    if (const auto result = ParseJson(effect.result, "result"); result.ok()) {
      if (const Json* undo = JsonFind(*result, "compensation")) json["compensation"] = *undo;
    }
    list.push_back(std::move(json));
  }
  co_return Ok({{"turn", id}, {"effects", std::move(list)}});
}

io::Task<io::ServerResponse> NativeSurface::Sessions(const ApiRequest& request) {
  const bool named = QueryValue(request.query, "named") == "true";
  auto sessions = co_await deps_.journal.ListSessions(
      PrincipalOf(request, "api"), kMaxListed,
      named ? journal::Sessions::kNamed : journal::Sessions::kAll);
  if (!sessions.ok()) co_return ErrorResponse(sessions.status());
  Json list = Json::array();
  for (const journal::SessionRecord& session : *sessions) list.push_back(SessionJson(session));
  co_return Ok({{"sessions", std::move(list)}});
}

// A key is as good as an id for people.
io::Task<absl::StatusOr<journal::SessionRecord>> NativeSurface::FindSession(
    const ApiRequest& request, std::string id) {
  auto session = co_await deps_.journal.LoadSession(SessionId(id));
  // Another's is as good as none.
  if (session.ok() && !IsOwn(request.caller, session->principal)) {
    co_return NotFound(fmt::format("no session '{}'", id));
  }
  if (!absl::IsNotFound(session.status())) co_return session;
  auto by_key = co_await deps_.journal.FindSession(PrincipalOf(request, "api"), id);
  TALON_CO_RETURN_IF_ERROR(by_key.status());
  if (!by_key->has_value()) co_return NotFound(fmt::format("no session '{}'", id));
  co_return **std::move(by_key);
}

io::Task<io::ServerResponse> NativeSurface::Session(const ApiRequest& request, std::string id) {
  if (request.method != "GET" && request.method != "POST" && request.method != "DELETE") {
    co_return WrongMethod("a session", "GET, POST, DELETE");
  }
  auto session = co_await FindSession(request, id);
  if (!session.ok()) co_return ErrorResponse(session.status());
  if (request.method == "GET") co_return Ok(SessionJson(*session));
  if (request.method == "DELETE") {
    const std::string force = QueryValue(request.query, "force");
    if (!force.empty() && force != "true" && force != "false") {
      co_return ErrorResponse(
          InvalidArgument(fmt::format("force: '{}' is not one of true, false", force)));
    }
    absl::Status deleted = co_await deps_.agent.DeleteSession(
        session->id, force == "true" ? agent::OpenTurns::kCancel : agent::OpenTurns::kRefuse);
    if (!deleted.ok()) co_return ErrorResponse(deleted);
    co_return Ok({{"session", session->id.str()}, {"deleted", true}});
  }
  auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  for (const char* name : {"model", "title"}) {
    absl::Status member = CheckMember(*body, name, JsonKind::kString);
    if (!member.ok()) co_return ErrorResponse(member);
  }
  if (body->contains("model")) {
    session->model = JsonString(*body, "model");
    if (!session->model.empty()) {
      auto route = deps_.router.Resolve(session->model);
      if (!route.ok()) co_return ErrorResponse(route.status());
      session->model = route->name();
    }
  }
  if (body->contains("title")) session->title = JsonString(*body, "title");
  absl::Status updated = co_await deps_.journal.UpdateSession(*session);
  if (!updated.ok()) co_return ErrorResponse(updated);
  deps_.agent.Evict(session->id);
  co_return Ok(SessionJson(*session));
}

io::Task<io::ServerResponse> NativeSurface::Messages(const ApiRequest& request, std::string id) {
  auto session = co_await FindSession(request, id);
  if (!session.ok()) co_return ErrorResponse(session.status());
  auto messages = co_await deps_.journal.LoadMessages(session->id, kMaxListed);
  if (!messages.ok()) co_return ErrorResponse(messages.status());
  Json list = Json::array();
  for (const journal::MessageRecord& message : *messages) {
    auto content = ParseJson(message.content, "message");
    list.push_back({{"seq", message.seq},
                    {"turn", message.turn.str()},
                    {"role", message.role},
                    {"content", content.ok() ? *content : Json(nullptr)},
                    {"integrity", IntegrityName(message.label.integrity)},
                    {"created_at", FormatTime(message.created_at)}});
  }
  co_return Ok({{"messages", std::move(list)}});
}

io::Task<io::ServerResponse> NativeSurface::ContextReport(const ApiRequest& request) {
  auto report = co_await deps_.agent.Context(PrincipalOf(request, "api"),
                                             QueryValue(request.query, "session"),
                                             QueryValue(request.query, "model"));
  if (!report.ok()) co_return ErrorResponse(report.status());
  co_return Ok({{"model", report->model},
                {"window", report->window},
                {"system_tokens", report->system_tokens},
                {"tool_tokens", report->tool_tokens},
                {"message_tokens", report->message_tokens},
                {"overhead_tokens", report->system_tokens + report->tool_tokens},
                {"tools_shown", report->tools_shown},
                {"tools_known", report->tools_listed},
                {"system_prompt", report->system_prompt}});
}

io::ServerResponse NativeSurface::Tools() const {
  Json list = Json::array();
  for (const tool::Entry* entry : deps_.catalogue.All()) {
    const tool::ToolSpec& spec = entry->tool->spec();
    auto schema = ParseJson(spec.schema, "schema");
    list.push_back({{"name", spec.name},
                    {"plugin", spec.plugin},
                    {"description", spec.description},
                    {"effect", tool::EffectClassName(spec.effect)},
                    {"read_only", spec.read_only},
                    {"idempotent", spec.idempotent},
                    {"user_only", spec.user_only},
                    {"schema", schema.ok() ? *schema : Json(nullptr)}});
  }
  return Ok({{"tools", std::move(list)}});
}

io::ServerResponse NativeSurface::Status() const {
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(deps_.clock.Now() - started_);
  auto route = deps_.router.Resolve("");
  return Ok({{"version", deps_.version},
             {"pid", ::getpid()},
             {"uptime_s", uptime.count()},
             {"model", route.ok() ? route->name() : ""},
             {"model_configured", deps_.router.model_configured()},
             {"provider_configured", deps_.router.provider_configured()},
             {"model_advice", deps_.router.Advice()},
             {"running_turns", deps_.agent.running_turns()},
             {"tools", deps_.catalogue.size()}});
}

}  // namespace talon::gateway
