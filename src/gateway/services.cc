// SPDX-License-Identifier: Apache-2.0
#include "gateway/services.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "gateway/api.h"
#include "trigger/tasks.h"

namespace talon::gateway {
namespace {

constexpr std::string_view kKeys = "/v1/kv";
constexpr std::string_view kKey = "/v1/kv/";
constexpr std::size_t kDefaultKeys = 100;

CallContext ContextOf(const ApiRequest& request) {
  CallContext context;
  context.principal = PrincipalOf(request, "api");
  context.cancel = request.client_gone;
  return context;
}

// A whole number in a query; `fallback` when absent.
absl::StatusOr<std::size_t> CountIn(std::string_view query, std::string_view name,
                                    std::size_t fallback) {
  const std::string text = QueryValue(query, name);
  if (text.empty()) return fallback;
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size()) return count;
  return InvalidArgument(fmt::format("{}: must be a whole number", name));
}

}  // namespace

io::Task<bool> ServicesSurface::Serve(const ApiRequest& request, io::ResponseWriter& writer) {
  if (deps_.extensions == nullptr) co_return false;
  const std::string& path = request.path;
  io::ServerResponse response;
  if (path == kKeys) {
    response = request.method == "GET" ? co_await Keys(request) : WrongMethod(kKeys, "GET");
  } else if (path.starts_with(kKey) && path.size() > kKey.size()) {
    response = co_await Value(request, path.substr(kKey.size()));
  } else if (path == "/v1/notifications") {
    response = request.method == "POST" ? co_await Notify(request) : WrongMethod(path, "POST");
  } else if (path == "/v1/tasks") {
    response = request.method == "GET" ? Tasks() : WrongMethod(path, "GET");
  } else {
    co_return false;
  }
  co_await Reply(writer, std::move(response));
  co_return true;
}

io::Task<io::ServerResponse> ServicesSurface::Keys(const ApiRequest& request) {
  const auto limit = CountIn(request.query, "limit", kDefaultKeys);
  if (!limit.ok()) co_return ErrorResponse(limit.status());
  const auto page = co_await deps_.extensions->values.List(QueryValue(request.query, "prefix"),
                                                           QueryValue(request.query, "after"),
                                                           *limit, ContextOf(request));
  if (!page.ok()) co_return ErrorResponse(page.status());
  co_return JsonResponse(200, DumpJson({{"keys", page->keys}, {"more", page->more}}));
}

// The value is the body, as it is; its version is the ETag.
io::Task<io::ServerResponse> ServicesSurface::Value(const ApiRequest& request, std::string key) {
  CallContext context = ContextOf(request);
  if (request.method == "PUT") co_return co_await Put(request, std::move(key), std::move(context));
  if (request.method == "DELETE") {
    const auto existed = co_await deps_.extensions->values.Delete(key, std::move(context));
    if (!existed.ok()) co_return ErrorResponse(existed.status());
    co_return JsonResponse(200, DumpJson({{"key", key}, {"deleted", *existed}}));
  }
  if (request.method != "GET") co_return WrongMethod("a key", "GET, PUT, DELETE");
  auto kept = co_await deps_.extensions->values.Get(std::move(key), std::move(context));
  if (!kept.ok()) co_return ErrorResponse(kept.status());
  io::ServerResponse response;
  response.headers.Set("Content-Type", "application/octet-stream");
  response.headers.Set("X-Content-Type-Options", "nosniff");
  response.headers.Set("ETag", fmt::format("\"{}\"", io::PercentEncode(kept->version)));
  response.body = std::move(kept->value);
  co_return response;
}

io::Task<io::ServerResponse> ServicesSurface::Put(const ApiRequest& request, std::string key,
                                                  CallContext context) {
  plugin::PutTerms terms;
  terms.if_version = QueryValue(request.query, "if_version");
  const auto ttl = CountIn(request.query, "ttl_ms", 0);
  if (!ttl.ok()) co_return ErrorResponse(ttl.status());
  terms.ttl = std::chrono::milliseconds(static_cast<std::int64_t>(*ttl));
  const auto version = co_await deps_.extensions->values.Put(key, request.body, std::move(terms),
                                                             std::move(context));
  if (!version.ok()) co_return ErrorResponse(version.status());
  co_return JsonResponse(200, DumpJson({{"key", key}, {"version", *version}}));
}

io::Task<io::ServerResponse> ServicesSurface::Notify(const ApiRequest& request) {
  const auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  for (const char* name : {"text", "title", "level", "to"}) {
    if (absl::Status member = CheckMember(*body, name, JsonKind::kString); !member.ok()) {
      co_return ErrorResponse(member);
    }
  }
  plugin::Note note;
  note.text = JsonString(*body, "text");
  note.title = JsonString(*body, "title");
  note.recipient = JsonString(*body, "to");
  note.id = std::string(request.headers.Get("Idempotency-Key"));
  const auto level = plugin::ParseNoteLevel(JsonString(*body, "level"));
  if (!level.ok()) co_return ErrorResponse(level.status());
  note.level = *level;
  const auto sent = co_await deps_.extensions->notifier.Notify(std::move(note), ContextOf(request));
  if (!sent.ok()) co_return ErrorResponse(sent.status());
  co_return JsonResponse(200, DumpJson({{"id", sent->id}, {"message_id", sent->message}}));
}

io::ServerResponse ServicesSurface::Tasks() const {
  const auto time = [](WallTime at) {
    return at == WallTime() ? Json(nullptr) : Json(FormatTime(at));
  };
  Json list = Json::array();
  for (const trigger::TaskInfo& info :
       deps_.tasks != nullptr ? deps_.tasks->List() : std::vector<trigger::TaskInfo>()) {
    list.push_back({{"plugin", info.plugin},
                    {"task", info.task},
                    {"description", info.description},
                    {"enabled", info.enabled},
                    {"running", info.running},
                    {"every_ms", info.every.count()},
                    {"next_run", info.enabled ? time(info.state.due) : Json(nullptr)},
                    {"last_run", time(info.state.last_run)},
                    {"last_ok", info.state.last_ok},
                    {"last_summary", info.state.last_summary}});
  }
  return JsonResponse(200, DumpJson({{"tasks", std::move(list)}}));
}

const plugin::Manifest::Route* EndpointSurface::Find(const plugin::EndpointPath& at,
                                                     std::string_view method,
                                                     std::string* allowed) const {
  if (deps_.extensions == nullptr || at.plugin.empty()) return nullptr;
  return deps_.extensions->http.Find(at, method, allowed);
}

bool EndpointSurface::IsPublic(const io::ServerRequest& head) const {
  std::string allowed;
  const auto* route = Find(plugin::SplitEndpointPath(head.path), head.method, &allowed);
  return route != nullptr && route->is_public;
}

io::Task<io::ServerResponse> EndpointSurface::Serve(io::ServerRequest request) {
  plugin::EndpointPath at = plugin::SplitEndpointPath(request.path);
  std::string allowed;
  const plugin::Manifest::Route* route = Find(at, request.method, &allowed);
  CallContext context;
  context.cancel = request.client_gone;
  context.principal.user.clear();  // nobody, on a public route
  if (route == nullptr || !route->is_public) {
    // Before anything is said of what there is.
    const auto caller = co_await IdentifyCaller(
        request, options_.token, deps_.extensions != nullptr ? &deps_.extensions->auth : nullptr);
    if (!caller.ok()) co_return ErrorResponse(caller.status());
    if (absl::Status may = CheckScope(*caller, request.method, request.path); !may.ok()) {
      co_return ErrorResponse(may);
    }
    context.principal = caller->principal;
  }
  if (route == nullptr) {
    if (!allowed.empty()) co_return WrongMethod(TruncateUtf8(request.path, 200), allowed);
    co_return ErrorResponse(NotFound(
        fmt::format("no plugin serves {} {}", request.method, TruncateUtf8(request.path, 200))));
  }
  context.principal.origin = "http";
  auto response =
      co_await deps_.extensions->http.Handle(std::move(at), std::move(request), std::move(context));
  if (!response.ok()) co_return ErrorResponse(response.status());
  co_return *std::move(response);
}

}  // namespace talon::gateway
