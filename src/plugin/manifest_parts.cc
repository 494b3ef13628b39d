// SPDX-License-Identifier: Apache-2.0
#include "plugin/manifest_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "guard/guard.h"
#include "hook/joinpoint.h"
#include "plugin/h2/wire.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {
namespace {

constexpr int kMaxTasks = 64;
constexpr int kMaxJoinpoints = 32;
constexpr int kMaxRoutes = 64;
constexpr int kMaxModels = 512;
constexpr int kMaxPaths = 32;  // of each kind
constexpr int kMaxCredentials = 32;
constexpr int kMaxSchemes = 8;
constexpr std::size_t kMaxQuoted = 80;
constexpr std::size_t kMaxWord = 64;   // a joinpoint, a scheme, a credential's name
constexpr std::size_t kMaxPath = 256;  // of a route
constexpr std::size_t kMaxModelId = 128;
constexpr std::uint64_t kDefaultMaxValue = 1u << 20;
constexpr std::uint64_t kMessageRoom = 64u << 10;  // of a message besides its value
constexpr std::uint64_t kShortestEveryMs = 1'000;
constexpr std::uint64_t kLongestEveryMs = 366ull * 24 * 3600 * 1000;
constexpr std::uint32_t kTaskTimeoutMs = 60'000;
constexpr std::uint32_t kLongestTaskTimeoutMs = 24u * 3600 * 1000;

template <class... Args>
absl::Status Bad(fmt::format_string<Args...> text, Args&&... args) {
  return InvalidArgument(fmt::format(text, std::forward<Args>(args)...));
}

absl::Status AtMost(int count, int limit, std::string_view what) {
  if (count <= limit) return absl::OkStatus();
  return ResourceExhausted(fmt::format("{} {}; at most {}", count, what, limit));
}

// A dotted word: "tool.before_call", "GITHUB_TOKEN".
bool IsWord(std::string_view word) {
  std::string plain(word);
  std::ranges::replace(plain, '.', '_');
  return IsName(plain, kMaxWord);
}

absl::StatusOr<Manifest::Auth> ReadAuth(const v1::AuthManifest& given) {
  TALON_RETURN_IF_ERROR(AtMost(given.schemes_size(), kMaxSchemes, "schemes"));
  Manifest::Auth auth;
  for (const std::string& scheme : given.schemes()) {
    if (!IsWord(scheme) || scheme != ToLowerAscii(scheme)) {
      return Bad("scheme '{}': a lower-case word such as \"bearer\"", Quoted(scheme));
    }
    auth.schemes.push_back(scheme);
  }
  if (auth.schemes.empty()) return Bad("no scheme; name \"bearer\"");
  return auth;
}

Manifest::Storage ReadStorage(const v1::StorageManifest& given, const HostOptions& options) {
  Manifest::Storage storage;
  const std::uint64_t wish =
      given.max_value_bytes() > 0 ? given.max_value_bytes() : kDefaultMaxValue;
  const std::uint64_t message = options.max_message.value;
  storage.max_value_bytes = std::min(wish, message > kMessageRoom ? message - kMessageRoom : 0);
  storage.compare_and_set = given.compare_and_set();
  storage.ttl = given.ttl();
  return storage;
}

absl::StatusOr<Manifest::Task> ReadTask(const v1::TaskManifest& given, const TaskEntry& entry,
                                        const HostOptions& options) {
  if (!IsName(given.name(), kMaxToolName)) {
    return Bad("a name is 1 to {} of a-z A-Z 0-9 _ -", kMaxToolName);
  }
  if (given.every_ms() < kShortestEveryMs || given.every_ms() > kLongestEveryMs) {
    return Bad("every_ms {} is not between {} and {}", given.every_ms(), kShortestEveryMs,
               kLongestEveryMs);
  }
  if (given.timeout_ms() > kLongestTaskTimeoutMs) {
    return Bad("timeout_ms {} exceeds {}", given.timeout_ms(), kLongestTaskTimeoutMs);
  }
  Manifest::Task task;
  task.name = given.name();
  task.description = CleanDescription(given.description(), options);
  task.enabled = entry.enabled;
  task.every = std::chrono::milliseconds(given.every_ms());
  if (entry.every.count() > 0) task.every = entry.every;
  if (task.every.count() < static_cast<std::int64_t>(kShortestEveryMs)) {
    return Bad("every {} ms is too often; at least {} ms", task.every.count(), kShortestEveryMs);
  }
  task.at_start = given.at_start();
  task.timeout =
      std::chrono::milliseconds(given.timeout_ms() > 0 ? given.timeout_ms() : kTaskTimeoutMs);
  return task;
}

absl::StatusOr<Manifest::Hook> ReadHook(const v1::HookManifest& given) {
  TALON_RETURN_IF_ERROR(AtMost(given.joinpoints_size(), kMaxJoinpoints, "joinpoints"));
  if (given.joinpoints().empty()) return Bad("no joinpoint; name at least one");
  Manifest::Hook hook;
  for (const std::string& each : given.joinpoints()) {
    if (!hook::FindJoinpoint(each)) {
      // A hook that is never asked would be trusted in vain.
      return Bad("joinpoint '{}' is not known; there are: {}", Quoted(each),
                 hook::JoinpointNames());
    }
    if (std::ranges::find(hook.joinpoints, each) != hook.joinpoints.end()) {
      return Bad("joinpoint '{}' is there twice", each);
    }
    hook.joinpoints.push_back(each);
  }
  hook.priority = given.priority();
  hook.fail_open = given.fail_open();
  return hook;
}

bool IsMethod(std::string_view method) {
  return method == "*" ||
         (!method.empty() && method.size() <= 16 &&
          std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; }));
}

// What no client or proxy reads in two ways: no escapes, no dots as a segment, no empty segment.
bool IsRoutePath(std::string_view path) {
  constexpr std::string_view kPlain = "-._~!$&'()*+,;=:@/";
  if (path.empty() || path[0] != '/' || path.size() > kMaxPath) return false;
  const bool plain = std::ranges::all_of(path, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  });
  const std::string closed = fmt::format("{}/", path);
  return plain && path.find("//") == std::string_view::npos &&
         closed.find("/./") == std::string::npos && closed.find("/../") == std::string::npos;
}

absl::StatusOr<std::vector<Manifest::Route>> ReadHttp(const v1::HttpManifest& given, bool expose,
                                                      const HostOptions& options) {
  TALON_RETURN_IF_ERROR(AtMost(given.routes_size(), kMaxRoutes, "routes"));
  if (given.routes().empty()) return Bad("no route; name at least one");
  std::vector<Manifest::Route> routes;
  std::set<std::pair<std::string, std::string>> seen;
  for (const v1::HttpRoute& each : given.routes()) {
    const auto bad = [&](std::string_view why) {
      return Bad("route '{} {}': {}", Quoted(each.method()), Quoted(each.path()), why);
    };
    if (!IsMethod(each.method())) return bad("the method is a word like GET or \"*\"");
    if (!IsRoutePath(each.path())) {
      return bad("the path begins with '/' and has neither escapes nor empty or dotted segments");
    }
    if (!seen.emplace(each.method(), each.path()).second) return bad("it is there twice");
    routes.push_back({.method = each.method(),
                      .path = each.path(),
                      .is_public = each.public_() && expose,
                      .description = CleanDescription(each.description(), options)});
  }
  return routes;
}

absl::StatusOr<std::vector<Manifest::Model>> ReadModels(const v1::ModelManifest& given) {
  TALON_RETURN_IF_ERROR(AtMost(given.models_size(), kMaxModels, "models"));
  std::vector<Manifest::Model> models;
  std::set<std::string> seen;
  for (const v1::ModelInfo& each : given.models()) {
    const bool plain = std::ranges::all_of(each.id(), [](char c) { return c > ' ' && c < 127; });
    if (each.id().empty() || each.id().size() > kMaxModelId || !plain) {
      return Bad("model '{}': an id is 1 to {} printable characters", Quoted(each.id()),
                 kMaxModelId);
    }
    if (!seen.insert(each.id()).second) return Bad("model '{}' is there twice", each.id());
    if (each.context_window() < 0 || each.max_output_tokens() < 0) {
      return Bad("model '{}': a limit is negative", each.id());
    }
    models.push_back({.id = each.id(),
                      .context_window = each.context_window(),
                      .max_output_tokens = each.max_output_tokens(),
                      .tools = each.tools(),
                      .images = each.images()});
  }
  return models;
}

template <class Paths>
absl::Status ReadPaths(const Paths& given, std::vector<std::string>& out) {
  TALON_RETURN_IF_ERROR(AtMost(given.size(), kMaxPaths, "paths"));
  for (const std::string& each : given) {
    const std::filesystem::path path(each);
    if (!path.is_absolute() || each.find('\0') != std::string::npos ||
        path.lexically_normal() != path) {
      return Bad("path '{}': absolute, without '.', '..' and '//'", Quoted(each));
    }
    out.push_back(each);
  }
  return absl::OkStatus();
}

absl::StatusOr<Needs> ReadNeeds(const v1::Needs& given) {
  Needs needs;
  // What a later contract may add grants nothing.
  if (given.network() == v1::NETWORK_OUTBOUND) needs.network = Needs::Network::kOutbound;
  if (given.workspace() == v1::ACCESS_READ) needs.workspace = Needs::Access::kRead;
  if (given.workspace() == v1::ACCESS_WRITE) needs.workspace = Needs::Access::kWrite;
  TALON_RETURN_IF_ERROR(ReadPaths(given.read_paths(), needs.read_paths));
  TALON_RETURN_IF_ERROR(ReadPaths(given.write_paths(), needs.write_paths));
  TALON_RETURN_IF_ERROR(AtMost(given.credentials_size(), kMaxCredentials, "credentials"));
  for (const std::string& name : given.credentials()) {
    if (!IsWord(name)) return Bad("credential '{}' is no name", Quoted(name));
    needs.credentials.push_back(name);
  }
  needs.memory_bytes = given.memory_bytes();
  needs.processes = given.processes();
  return needs;
}

// Puts a part in its place; an error gets the part's name.
template <class Value, class Place>
absl::Status Put(absl::StatusOr<Value> part, std::string_view name, Place& place) {
  if (!part.ok()) return Annotate(part.status(), name);
  place = *std::move(part);
  return absl::OkStatus();
}

absl::Status ReadTasks(const v1::Manifest& given, const PluginEntry& entry,
                       const HostOptions& options, Manifest& out) {
  TALON_RETURN_IF_ERROR(AtMost(given.tasks_size(), kMaxTasks, "tasks"));
  std::set<std::string> names;
  for (const v1::TaskManifest& each : given.tasks()) {
    const std::string where = fmt::format("task '{}'", Quoted(each.name()));
    const auto wish = entry.tasks.find(each.name());
    TALON_RETURN_IF_ERROR(
        Put(ReadTask(each, wish != entry.tasks.end() ? wish->second : TaskEntry(), options), where,
            out.tasks.emplace_back()));
    if (!names.insert(ToLowerAscii(each.name())).second) return Bad("{} is there twice", where);
  }
  for (const auto& [name, wish] : entry.tasks) {
    if (std::ranges::find(out.tasks, name, &Manifest::Task::name) == out.tasks.end()) {
      return Bad("the configuration names a task '{}' that the plugin does not have", name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string Quoted(std::string_view text) {
  return h2::CleanText(text, kMaxQuoted);
}

bool IsName(std::string_view name, std::size_t max_size) {
  return !name.empty() && name.size() <= max_size && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string CleanDescription(const std::string& text, const HostOptions& options) {
  std::size_t removed = 0;
  const std::string clean = guard::SanitizeUntrusted(text, &removed, guard::HiddenText::kShow);
  return std::string(TruncateUtf8(clean, options.max_description.value));
}

absl::Status ReadParts(const v1::Manifest& given, const PluginEntry& entry,
                       const HostOptions& options, Manifest& out) {
  if (given.has_auth()) TALON_RETURN_IF_ERROR(Put(ReadAuth(given.auth()), "auth", out.auth));
  if (given.has_storage()) out.storage = ReadStorage(given.storage(), options);
  if (given.has_notify()) {
    out.notify = Manifest::Notify{given.notify().max_text_bytes(), given.notify().recipients()};
  }
  TALON_RETURN_IF_ERROR(ReadTasks(given, entry, options, out));
  if (given.has_hook()) TALON_RETURN_IF_ERROR(Put(ReadHook(given.hook()), "hook", out.hook));
  if (given.has_http()) {
    TALON_RETURN_IF_ERROR(Put(ReadHttp(given.http(), entry.expose, options), "http", out.http));
  }
  if (given.has_model()) {
    TALON_RETURN_IF_ERROR(Put(ReadModels(given.model()), "model", out.models));
  }
  TALON_RETURN_IF_ERROR(Put(ReadNeeds(given.needs()), "needs", out.needs));
  out.dynamic = given.dynamic();
  out.watch = given.watch();
  return absl::OkStatus();
}

}  // namespace talon::plugin
