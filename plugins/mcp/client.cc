// SPDX-License-Identifier: Apache-2.0
#include "mcp/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <string_view>

#include "mcp/oauth.h"
#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

constexpr char kClientName[] = "talon";
constexpr char kClientVersion[] = "1.0.0";
constexpr std::array<std::string_view, 4> kHandshakeVersions = {"2025-11-25", "2025-06-18",
                                                                "2025-03-26", "2024-11-05"};
constexpr std::size_t kMaxInstructions = 4'000;
constexpr std::chrono::milliseconds kProbeTimeout{10'000};

Json Implementation() {
  return {{"name", kClientName}, {"version", kClientVersion}};
}

// -32020 to -32099 are the codes of the revisions without a handshake.
bool IsModernError(const Reply& reply) {
  return reply.error && reply.error->code <= -32020 && reply.error->code >= -32099 &&
         reply.error->code != kUrlElicitationRequired;
}

bool Lists(const Json& versions, std::string_view version) {
  return versions.is_array() &&
         std::find(versions.begin(), versions.end(), version) != versions.end();
}

bool WantsToken(const WireFailure& failure) {
  return failure.http_status == 401 ||
         (failure.http_status == 403 &&
          ParseChallenge(failure.challenge).error == "insufficient_scope");
}

std::string Listed(const Json& versions) {
  return versions.is_array() ? std::string(sdk::TruncateUtf8(Dump(versions), 200)) : "none";
}

}  // namespace

Client::~Client() {
  Stop();
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const MakeWire& make_wire,
                                                        ClientOptions options, Hooks hooks,
                                                        Caller& caller) {
  // Nothing is told before there is a connection: the first process may be there for a question
  // only.
  const auto connected = std::make_shared<std::atomic<bool>>(false);  // shared with the wires
  Session::Hooks told{.server = options.server, .roots = options.roots};
  told.on_notification = [connected, hooks](const std::string& method, const Json&) {
    if (*connected && hooks.on_change) hooks.on_change(method);
  };
  told.on_closed = [connected, hooks](absl::Status why) {
    if (*connected && hooks.on_closed) hooks.on_closed(std::move(why));
  };
  std::unique_ptr<Client> client;
  const auto start = [&] {
    client.reset(new Client(std::make_unique<Session>(make_wire(), told), options, hooks.on_deaf));
    return client->session_->Start();
  };
  if (absl::Status status = start(); !status.ok()) return status;
  bool handshake = true;
  if (options.protocol == "auto" || options.protocol == kModernVersion) {
    const absl::StatusOr<Era> era = client->Discover(caller, options.protocol != "auto");
    if (!era.ok()) return era.status();
    handshake = *era != Era::kModern;
    // It ended over the question, or does not answer before a handshake: start afresh with one.
    if (*era == Era::kUnsure) {
      if (absl::Status status = start(); !status.ok()) return status;
    }
  }
  if (handshake) {
    if (absl::Status status = client->Initialize(caller); !status.ok()) return status;
  }
  *connected = true;
  if (absl::Status status = client->session_->closed(); !status.ok()) return status;
  return client;
}

absl::StatusOr<Client::Era> Client::Discover(Caller& caller, bool insist) {
  info_.modern = true;
  info_.protocol = kModernVersion;
  session_->wire().SetVersion(kModernVersion, true);
  Reply reply = Send("server/discover", Json::object(), caller);
  if (reply.error && reply.error->code == kUnsupportedVersion) {
    const Json& supported = MemberOf(reply.error->data, "supported");
    if (Lists(supported, kModernVersion)) {
      reply = Send("server/discover", Json::object(), caller);
    } else if (insist || std::none_of(kHandshakeVersions.begin(), kHandshakeVersions.end(),
                                      [&](auto known) { return Lists(supported, known); })) {
      return absl::UnimplementedError(
          fmt::format("speaks only {}; this client speaks {}, 2025-11-25 and 2025-06-18",
                      Listed(supported), kModernVersion));
    }
  }
  const Json& versions = MemberOf(reply.result, "supportedVersions");
  if (reply.status.ok() && Lists(versions, kModernVersion)) {
    info_.capabilities = MemberOf(reply.result, "capabilities");
    if (!info_.capabilities.is_object()) info_.capabilities = Json::object();
    info_.instructions =
        sdk::TruncateUtf8(StringOf(reply.result, "instructions"), kMaxInstructions);
    const Json& about =
        MemberOf(MemberOf(reply.result, "_meta"), "io.modelcontextprotocol/serverInfo");
    const Json& given = about.is_object() ? about : MemberOf(reply.result, "serverInfo");
    info_.name = StringOf(given, "name");
    info_.version = StringOf(given, "version");
    return Era::kModern;
  }
  if (insist || IsModernError(reply)) {
    return reply.status.ok()
               ? absl::UnimplementedError(fmt::format("does not speak {}", kModernVersion))
               : Failed(reply);
  }
  info_ = {};
  session_->wire().SetVersion("", false);
  const int http = reply.failure.http_status;
  if (session_->wire().is_http()) {
    // Refused for a reason of its own, or not there at all: a handshake would fare no better.
    const bool older = reply.status.ok() || reply.error || http == 400 || http == 404 ||
                       http == 405 || http == 406 || http == 415 || http / 100 == 2;
    if (!older) return Failed(reply);
    return Era::kLegacy;
  }
  if (absl::IsCancelled(reply.status)) return Failed(reply);
  return reply.status.ok() || reply.error ? Era::kLegacy : Era::kUnsure;
}

absl::Status Client::Initialize(Caller& caller) {
  const std::string offered = options_.protocol == "auto" ? kLegacyVersion : options_.protocol;
  const Json params = {{"protocolVersion", offered},
                       {"capabilities", Capabilities()},
                       {"clientInfo", Implementation()}};
  Reply reply = Send("initialize", params, caller);
  if (!reply.status.ok()) return Failed(reply);
  info_.protocol = StringOf(reply.result, "protocolVersion");
  // A server that names the newest revision in a handshake speaks it as the older ones were spoken.
  if (info_.protocol != kModernVersion &&
      std::find(kHandshakeVersions.begin(), kHandshakeVersions.end(), info_.protocol) ==
          kHandshakeVersions.end()) {
    return absl::UnimplementedError(
        fmt::format("speaks revision '{}' only; this client speaks {}, 2025-11-25 and 2025-06-18",
                    sdk::TruncateUtf8(info_.protocol, 40), kModernVersion));
  }
  info_.capabilities = MemberOf(reply.result, "capabilities");
  if (!info_.capabilities.is_object()) info_.capabilities = Json::object();
  info_.instructions = sdk::TruncateUtf8(StringOf(reply.result, "instructions"), kMaxInstructions);
  info_.name = StringOf(MemberOf(reply.result, "serverInfo"), "name");
  info_.version = StringOf(MemberOf(reply.result, "serverInfo"), "version");
  session_->wire().SetVersion(info_.protocol, false);
  return session_->Notify("notifications/initialized", Json::object());
}

Json Client::Capabilities() const {
  Json out = {{"elicitation", {{"form", Json::object()}, {"url", Json::object()}}}};
  if (!options_.roots.is_null()) out["roots"] = Json::object();
  return out;
}

Reply Client::Send(const std::string& method, Json params, Caller& caller, Headers headers,
                   bool progress) {
  RequestOptions request{.timeout = options_.timeout, .caller = &caller, .progress = progress};
  if (method == "server/discover") {
    request.timeout = std::min(options_.connect_timeout, kProbeTimeout);
  } else if (method == "initialize") {
    request.timeout = options_.connect_timeout;
    request.cancellable = false;
  }
  if (info_.modern) {
    Json& meta = params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = info_.protocol;
    meta["io.modelcontextprotocol/clientInfo"] = Implementation();
    meta["io.modelcontextprotocol/clientCapabilities"] = Capabilities();
  }
  if (session_->wire().is_http()) {
    request.headers = caller.headers();
    const auto add = [&](const Headers& more) {
      request.headers.insert(request.headers.end(), more.begin(), more.end());
    };
    if (info_.modern) add(MethodHeaders(method, params));
    add(headers);
  }
  for (int renewals = 0;; ++renewals) {
    const std::string token = options_.tokens != nullptr ? options_.tokens->bearer() : "";
    Reply reply = session_->Request(method, params, request);
    if (options_.tokens == nullptr || renewals >= options_.max_token_renewals ||
        !WantsToken(reply.failure)) {
      return reply;
    }
    const absl::Status renewed = options_.tokens->Renew(token, reply.failure.challenge, caller);
    if (renewed.ok()) continue;
    reply.status = renewed;
    return reply;
  }
}

absl::Status Client::Failed(const Reply& reply) {
  if (reply.failure.session_lost) session_lost_ = true;
  return reply.status;
}

absl::StatusOr<std::vector<Json>> Client::List(const std::string& method, const std::string& key,
                                               Caller& caller) {
  std::vector<Json> out;
  std::set<std::string> seen;
  Json params = Json::object();
  for (int page = 0; page < options_.max_pages; ++page) {
    Reply reply = Send(method, params, caller);
    if (!reply.status.ok()) return Failed(reply);
    const Json& items = MemberOf(reply.result, key);
    if (!items.is_array()) {
      return absl::InvalidArgumentError(fmt::format("'{}': the answer has no '{}'", method, key));
    }
    for (const Json& item : items) {
      if (item.is_object() && out.size() < options_.max_items) out.push_back(item);
    }
    const std::string cursor = StringOf(reply.result, "nextCursor");
    if (cursor.empty()) return out;
    if (!seen.insert(cursor).second || out.size() >= options_.max_items) break;
    params["cursor"] = cursor;
  }
  sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': '{}' was cut after {} entries",
                                             options_.server, method, out.size()));
  return out;
}

absl::StatusOr<Json> Client::CallTool(const Json& tool, const Json& arguments, Caller& caller) {
  const Json params = {{"name", StringOf(tool, "name")}, {"arguments", arguments}};
  const Json& tasks =
      MemberOf(MemberOf(MemberOf(info_.capabilities, "tasks"), "requests"), "tools");
  if (!info_.modern && StringOf(MemberOf(tool, "execution"), "taskSupport") == "required" &&
      tasks.is_object()) {
    return CallAsTask(params, caller);
  }
  Headers headers;
  if (info_.modern && session_->wire().is_http()) {
    const auto marked = FindParamHeaders(MemberOf(tool, "inputSchema"));
    if (!marked.ok()) return marked.status();
    headers = ParamHeaderValues(*marked, arguments);
  }
  return AskRounds("tools/call", params, caller, headers, true);
}

absl::StatusOr<Json> Client::Ask(const std::string& method, const Json& params, Caller& caller) {
  return AskRounds(method, params, caller, {}, false);
}

absl::StatusOr<Json> Client::AskRounds(const std::string& method, Json params, Caller& caller,
                                       const Headers& headers, bool progress) {
  for (int round = 0; round < options_.max_rounds; ++round) {
    Reply reply = Send(method, params, caller, headers, progress);
    if (reply.error && reply.error->code == kUrlElicitationRequired) {
      if (absl::Status status = OpenPages(*reply.error, caller); !status.ok()) return status;
      continue;
    }
    if (!reply.status.ok()) return Failed(reply);
    if (StringOf(reply.result, "resultType") != "input_required") return std::move(reply.result);
    if (absl::Status status = AnswerRound(reply.result, params, caller); !status.ok())
      return status;
  }
  return absl::ResourceExhaustedError(
      fmt::format("'{}': asked for more {} times", method, options_.max_rounds));
}

// Puts the answers to the questions of `result` into `params` for the next try.
absl::Status Client::AnswerRound(const Json& result, Json& params, Caller& caller) {
  params.erase("inputResponses");
  params.erase("requestState");
  const Json& state = MemberOf(result, "requestState");
  if (state.is_string()) params["requestState"] = state;
  const Json& questions = MemberOf(result, "inputRequests");
  if (!questions.is_object()) {
    return state.is_string() ? absl::OkStatus()
                             : absl::InvalidArgumentError("the server asks for more, but not what");
  }
  Json answers = Json::object();
  for (const auto& [key, question] : questions.items()) {
    const std::string method = StringOf(question, "method");
    Session::InputAnswer answer =
        session_->AnswerInput(method, MemberOf(question, "params"), &caller);
    if (answer.error) {
      return absl::FailedPreconditionError(fmt::format(
          "the server needs '{}': {}", sdk::TruncateUtf8(method, 60), answer.error->message));
    }
    answers[key] = std::move(answer.result);
  }
  params["inputResponses"] = std::move(answers);
  return absl::OkStatus();
}

// Pages the person has to visit before the request can succeed (2025-11-25).
absl::Status Client::OpenPages(const RpcError& error, Caller& caller) {
  const Json& pages = MemberOf(error.data, "elicitations");
  if (!pages.is_array() || pages.empty()) {
    return absl::FailedPreconditionError(error.message);
  }
  for (const Json& page : pages) {
    const Session::InputAnswer answer = session_->AnswerInput("elicitation/create", page, &caller);
    if (StringOf(answer.result, "action") != "accept") {
      return absl::FailedPreconditionError(
          fmt::format("{}: the person did not open the page", error.message));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> Client::CallAsTask(Json params, Caller& caller) {
  params["task"] = Json::object();
  Reply created = Send("tools/call", params, caller, {}, true);
  if (!created.status.ok()) return Failed(created);
  const std::string id = StringOf(MemberOf(created.result, "task"), "taskId");
  if (id.empty()) return std::move(created.result);  // answered at once
  Reply reply = Send("tasks/result", {{"taskId", id}}, caller, {}, true);
  if (reply.status.ok()) return std::move(reply.result);
  if (!reply.error && !reply.failure.session_lost) {
    // Nobody waits for it: the server need not go on.
    Caller nobody;
    (void)Send("tasks/cancel", {{"taskId", id}}, nobody);
  }
  return Failed(reply);
}

void Client::Listen() {
  if (!info_.modern) return session_->wire().Listen();
  Json wanted = Json::object();
  for (const char* kind : {"tools", "prompts", "resources"}) {
    if (BoolOf(MemberOf(info_.capabilities, kind), "listChanged")) {
      wanted[fmt::format("{}ListChanged", kind)] = true;
    }
  }
  if (wanted.empty()) return;
  Json params = {{"notifications", std::move(wanted)}};
  Json& meta = params["_meta"];
  meta["io.modelcontextprotocol/protocolVersion"] = info_.protocol;
  meta["io.modelcontextprotocol/clientInfo"] = Implementation();
  meta["io.modelcontextprotocol/clientCapabilities"] = Capabilities();
  const absl::Status status = session_->Subscribe(
      "subscriptions/listen", params,
      session_->wire().is_http() ? MethodHeaders("subscriptions/listen", params) : Headers(),
      [this](Reply reply) {
        sdk::Log(sdk::LogLevel::kDebug,
                 fmt::format("server '{}': tells no more of changes: {}", options_.server,
                             reply.status.ok() ? "it ended the stream" : Why(reply.status)));
        // A server that refuses will do so again.
        if (!reply.error && on_deaf_) on_deaf_();
      });
  if (!status.ok()) {
    sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': changes are not heard of: {}",
                                               options_.server, Why(status)));
  }
}

}  // namespace talon::plugins::mcp
