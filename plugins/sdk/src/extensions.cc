// SPDX-License-Identifier: Apache-2.0
#include "extensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "names.h"
#include "talon/sdk/text.h"

namespace talon::sdk {
namespace {

using std::chrono::system_clock;

constexpr std::chrono::milliseconds kShortestEvery{1000};
constexpr std::uint32_t kDefaultKeys = 100;
constexpr std::uint32_t kMostKeys = 1000;

std::int64_t ToMs(system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
system_clock::time_point FromMs(std::int64_t ms) {
  return system_clock::time_point(std::chrono::milliseconds(ms));
}
std::uint64_t Count(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
}

template <class... Args>
absl::Status Bad(fmt::format_string<Args...> text, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(text, std::forward<Args>(args)...));
}

bool IsBelow(std::string_view path, std::string_view route) {
  return route.ends_with('/') ? path.starts_with(route) : path == route;
}

}  // namespace

Extensions::Extensions(Plugin& plugin)
    : auth(dynamic_cast<AuthProvider*>(&plugin)),
      storage(dynamic_cast<Storage*>(&plugin)),
      notify(dynamic_cast<NotificationChannel*>(&plugin)),
      tasks(dynamic_cast<ScheduledTasks*>(&plugin)),
      hook(dynamic_cast<Hook*>(&plugin)),
      http(dynamic_cast<HttpEndpoint*>(&plugin)),
      model(dynamic_cast<ModelProvider*>(&plugin)) {}

absl::Status Extensions::Validate() const {
  if (tasks != nullptr) {
    for (const Task& task : tasks->tasks()) {
      if (!IsPlainName(task.name)) {
        return Bad("task '{}': name must match ^[a-zA-Z0-9_-]{{1,48}}$", task.name);
      }
      if (task.every < kShortestEvery) return Bad("task '{}': every is below 1 s", task.name);
      if (!task.run) return Bad("task '{}': nothing to run", task.name);
    }
  }
  if (model != nullptr) {
    for (const ModelSpec& spec : model->models()) {
      if (spec.id.empty()) return Bad("model: an id is empty");
    }
  }
  if (hook != nullptr && hook->hook_spec().joinpoints.empty()) return Bad("hook: no joinpoint");
  if (http != nullptr) {
    if (http->routes().empty()) return Bad("http: no route");
    for (const Route& route : http->routes()) {
      if (!route.path.starts_with('/') || route.method.empty() || !route.handler) {
        return Bad("route '{} {}': a method, a path from '/' and a handler", route.method,
                   route.path);
      }
    }
  }
  return absl::OkStatus();
}

void Extensions::Describe(v1::Manifest& manifest) const {
  if (auth != nullptr) manifest.mutable_auth()->add_schemes("bearer");
  if (storage != nullptr) {
    v1::StorageManifest& out = *manifest.mutable_storage();
    out.set_max_value_bytes(storage->storage_spec().max_value_bytes);
    out.set_compare_and_set(storage->storage_spec().compare_and_set);
    out.set_ttl(storage->storage_spec().ttl);
  }
  if (notify != nullptr) {
    v1::NotifyManifest& out = *manifest.mutable_notify();
    out.set_max_text_bytes(notify->notify_spec().max_text_bytes);
    out.set_recipients(notify->notify_spec().recipients);
  }
  if (tasks != nullptr) {
    for (const Task& task : tasks->tasks()) {
      v1::TaskManifest& out = *manifest.add_tasks();
      out.set_name(task.name);
      out.set_description(RepairUtf8(task.description));
      out.set_every_ms(Count(task.every));
      out.set_at_start(task.at_start);
      out.set_timeout_ms(static_cast<std::uint32_t>(Count(task.timeout)));
    }
  }
  if (hook != nullptr) {
    v1::HookManifest& out = *manifest.mutable_hook();
    for (const std::string& each : hook->hook_spec().joinpoints) out.add_joinpoints(each);
    out.set_priority(hook->hook_spec().priority);
    out.set_fail_open(hook->hook_spec().fail_open);
  }
  if (http != nullptr) {
    for (const Route& route : http->routes()) {
      v1::HttpRoute& out = *manifest.mutable_http()->add_routes();
      out.set_method(route.method);
      out.set_path(route.path);
      out.set_public_(route.is_public);
      out.set_description(RepairUtf8(route.description));
    }
  }
  if (model != nullptr) {
    v1::ModelManifest& models = *manifest.mutable_model();
    for (const ModelSpec& spec : model->models()) {
      v1::ModelInfo& out = *models.add_models();
      out.set_id(spec.id);
      out.set_context_window(spec.context_window);
      out.set_max_output_tokens(spec.max_output_tokens);
      out.set_tools(spec.tools);
      out.set_images(spec.images);
    }
  }
}

Actor ActorOf(const v1::Actor& actor) {
  return {actor.tenant(), actor.user(), actor.agent(), actor.origin()};
}

absl::Status Authenticate(AuthProvider& auth, const v1::AuthenticateRequest& request,
                          const CallInfo& call, v1::AuthenticateResponse& response) {
  const absl::StatusOr<Identity> identity =
      auth.Authenticate({.scheme = request.scheme(),
                         .secret = request.credential(),
                         .remote_address = request.remote_address(),
                         .method = request.method(),
                         .path = request.path()},
                        call);
  if (!identity.ok()) {
    switch (identity.status().code()) {
      case absl::StatusCode::kUnauthenticated:
      case absl::StatusCode::kPermissionDenied:
      case absl::StatusCode::kNotFound:
        response.set_reason(RepairUtf8(Result::Error(identity.status()).error));
        return absl::OkStatus();
      default:
        return identity.status();
    }
  }
  if (identity->user.empty()) return absl::InternalError("an accepted token belongs to nobody");
  response.set_accepted(true);
  response.set_user(RepairUtf8(identity->user));
  response.set_tenant(RepairUtf8(identity->tenant));
  for (const std::string& scope : identity->scopes) response.add_scopes(RepairUtf8(scope));
  response.set_ttl_ms(static_cast<std::uint32_t>(Count(identity->ttl)));
  return absl::OkStatus();
}

absl::Status Get(Storage& storage, const v1::GetRequest& request, const CallInfo& call,
                 v1::GetResponse& response) {
  absl::StatusOr<StoredValue> value = storage.Get(request.namespace_(), request.key(), call);
  if (!value.ok()) return value.status();
  response.set_value(std::move(value->value));
  response.set_version(RepairUtf8(std::move(value->version)));
  response.set_updated_at_ms(ToMs(value->updated_at));
  return absl::OkStatus();
}

absl::Status Put(Storage& storage, const v1::PutRequest& request, const CallInfo& call,
                 v1::PutResponse& response) {
  const StorageSpec& spec = storage.storage_spec();
  if (!request.if_version().empty() && !spec.compare_and_set) {
    return absl::UnimplementedError("this storage does not compare versions");
  }
  if (request.ttl_ms() > 0 && !spec.ttl) {
    return absl::UnimplementedError("this storage keeps values for ever");
  }
  absl::StatusOr<std::string> version =
      storage.Put(request.namespace_(), request.key(), request.value(),
                  {.if_version = request.if_version(),
                   .ttl = std::chrono::milliseconds(static_cast<std::int64_t>(request.ttl_ms()))},
                  call);
  if (!version.ok()) return version.status();
  response.set_version(RepairUtf8(*std::move(version)));
  return absl::OkStatus();
}

absl::Status Delete(Storage& storage, const v1::DeleteRequest& request, const CallInfo& call,
                    v1::DeleteResponse& response) {
  const absl::StatusOr<bool> existed = storage.Delete(request.namespace_(), request.key(), call);
  if (!existed.ok()) return existed.status();
  response.set_existed(*existed);
  return absl::OkStatus();
}

absl::Status List(Storage& storage, const v1::ListRequest& request, const CallInfo& call,
                  v1::ListResponse& response) {
  const std::uint32_t limit =
      std::min(request.limit() > 0 ? request.limit() : kDefaultKeys, kMostKeys);
  const absl::StatusOr<KeyList> list =
      storage.List(request.namespace_(), request.prefix(), request.after(), limit, call);
  if (!list.ok()) return list.status();
  for (const std::string& key : list->keys) response.add_keys(RepairUtf8(key));
  response.set_more(list->more);
  return absl::OkStatus();
}

absl::Status Notify(NotificationChannel& channel, const v1::NotifyRequest& request,
                    const CallInfo& call, v1::NotifyResponse& response) {
  NotifyLevel level = NotifyLevel::kInfo;
  if (request.level() == v1::NOTIFY_LEVEL_WARNING) level = NotifyLevel::kWarning;
  if (request.level() == v1::NOTIFY_LEVEL_URGENT) level = NotifyLevel::kUrgent;
  absl::StatusOr<std::string> id = channel.Notify({.id = request.id(),
                                                   .title = request.title(),
                                                   .text = request.text(),
                                                   .level = level,
                                                   .recipient = request.recipient(),
                                                   .session_id = request.session_id()},
                                                  call);
  if (!id.ok()) return id.status();
  response.set_message_id(RepairUtf8(*std::move(id)));
  return absl::OkStatus();
}

absl::Status RunTask(ScheduledTasks& tasks, const v1::RunTaskRequest& request, const CallInfo& call,
                     v1::RunTaskResponse& response) {
  for (const Task& task : tasks.tasks()) {
    if (task.name != request.task()) continue;
    absl::StatusOr<TaskReport> report = task.run({.run_id = request.run_id(),
                                                  .due_at = FromMs(request.due_at_ms()),
                                                  .last_run_at = FromMs(request.last_run_at_ms())},
                                                 call);
    if (!report.ok()) return report.status();
    response.set_summary(RepairUtf8(std::move(report->summary)));
    response.set_notify_title(RepairUtf8(std::move(report->notify_title)));
    response.set_notify_text(RepairUtf8(std::move(report->notify_text)));
    response.set_next_after_ms(Count(report->next_after));
    return absl::OkStatus();
  }
  return absl::NotFoundError(fmt::format("no task '{}'", request.task()));
}

absl::Status Advise(Hook& hook, const v1::AdviseRequest& request, const CallInfo& call,
                    v1::AdviseResponse& response) {
  absl::StatusOr<Advice> advice = hook.Advise({.joinpoint = request.joinpoint(),
                                               .session_id = request.session_id(),
                                               .turn_id = request.turn_id(),
                                               .actor = ActorOf(request.actor()),
                                               .value = request.value(),
                                               .tool = request.tool()},
                                              call);
  if (!advice.ok()) return advice.status();
  response.set_verdict(advice->verdict == Advice::Verdict::kBlock     ? v1::ADVISE_VERDICT_BLOCK
                       : advice->verdict == Advice::Verdict::kRewrite ? v1::ADVISE_VERDICT_REWRITE
                                                                      : v1::ADVISE_VERDICT_ALLOW);
  response.set_reason(RepairUtf8(std::move(advice->reason)));
  response.set_value(std::move(advice->value));
  for (std::string& note : advice->notes) response.add_notes(RepairUtf8(std::move(note)));
  return absl::OkStatus();
}

absl::Status Handle(HttpEndpoint& http, const v1::HttpRequest& request, const CallInfo& call,
                    v1::HttpResponse& response) {
  // As in the daemon: the exact path first, then the longest one above it.
  const Route* found = nullptr;
  for (const Route& route : http.routes()) {
    if (route.method != "*" && route.method != request.method()) continue;
    if (!IsBelow(request.path(), route.path)) continue;
    if (found == nullptr || route.path.size() > found->path.size()) found = &route;
  }
  if (found == nullptr) {
    return absl::NotFoundError(fmt::format("no route {} {}", request.method(), request.path()));
  }
  HttpRequest ask{.method = request.method(),
                  .path = request.path(),
                  .query = request.query(),
                  .headers = {},
                  .body = request.body(),
                  .actor = ActorOf(request.actor())};
  for (const v1::HttpHeader& header : request.headers()) {
    std::string& value = ask.headers[header.name()];
    value += (value.empty() ? "" : ", ") + header.value();
  }
  absl::StatusOr<HttpResponse> answer = found->handler(ask, call);
  if (!answer.ok()) return answer.status();
  response.set_status(static_cast<std::uint32_t>(answer->status));
  for (auto& [name, value] : answer->headers) {
    v1::HttpHeader& header = *response.add_headers();
    header.set_name(RepairUtf8(std::move(name)));
    header.set_value(RepairUtf8(std::move(value)));
  }
  response.set_body(std::move(answer->body));
  return absl::OkStatus();
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace talon::sdk
