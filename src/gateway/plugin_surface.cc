// SPDX-License-Identifier: Apache-2.0
#include "gateway/plugin_surface.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"
#include "gateway/api.h"
#include "gateway/surfaces.h"
#include "io/sse.h"
#include "plugin/plugin_log.h"

namespace talon::gateway {
namespace {

constexpr std::string_view kPrefix = "/v1/plugins";
constexpr std::size_t kDefaultLines = 100;

Json SandboxJson(const plugin::SandboxInfo& sandbox) {
  return {{"profile", sandbox.profile},          {"grade", sandbox.grade},
          {"require", sandbox.require},          {"network", sandbox.network},
          {"workspace", sandbox.workspace},      {"memory_bytes", sandbox.memory_bytes},
          {"processes", sandbox.processes},      {"layers", sandbox.layers},
          {"wanted_paths", sandbox.wanted_paths}};
}

Json InfoJson(const plugin::PluginInfo& info) {
  return {{"name", info.name},
          {"state", plugin::PluginStateName(info.state)},
          {"origin", plugin::OriginName(info.origin)},
          {"path", info.path},
          {"version", info.version},
          {"description", info.description},
          {"pid", info.pid},
          {"calls", info.calls},
          {"failures", info.failures},
          {"restarts", info.restarts},
          {"last_error", info.last_error},
          {"sandbox", SandboxJson(info.sandbox)},
          {"tools", info.tools}};
}

Json ReportJson(const plugin::PluginReport& report) {
  Json json = InfoJson(report.info);
  json["program"] = report.program;
  json["sha256"] = report.sha256;
  json["manifest_sha256"] = report.manifest_sha256;
  json["declared_sha256"] = report.declared_sha256;
  json["owner"] = report.owner;
  json["trust"] = report.trust;
  json["problem"] = report.problem;
  if (auto manifest = ParseJson(report.manifest_json, "manifest"); manifest.ok()) {
    json["manifest"] = *std::move(manifest);
  }
  return json;
}

Json LineJson(const plugin::LogLine& line) {
  return {{"time", line.time}, {"level", line.level}, {"text", line.text}};
}

// The name and the verb in "/v1/plugins/<name>[/<verb>]"; both may be empty.
std::pair<std::string, std::string> Parts(std::string_view path) {
  path.remove_prefix(std::min(path.size(), kPrefix.size() + 1));
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {std::string(path), ""};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

}  // namespace

io::Task<bool> PluginSurface::Serve(const ApiRequest& request, io::ResponseWriter& writer) {
  const std::string_view path = request.path;
  if (path != kPrefix && !path.starts_with("/v1/plugins/")) co_return false;
  const auto [name, verb] = Parts(path);
  const bool get = request.method == "GET";
  if (name.empty() || verb.empty()) {
    if (!get) {
      co_await Reply(writer, WrongMethod(path, "GET"));
    } else {
      co_await Reply(writer, co_await (name.empty() ? List() : Inspect(name)));
    }
    co_return true;
  }
  if (verb == "logs" && get) {
    co_await Logs(request, name, writer);
    co_return true;
  }
  if (request.method != "POST") co_return false;
  constexpr std::string_view kQuestions = "questions/";
  if (verb == "run") {
    co_await runs_.Run(request, name, writer);
  } else if (verb.starts_with(kQuestions)) {
    co_await Reply(writer, runs_.Answer(request, verb.substr(kQuestions.size())));
  } else {
    co_await Reply(writer, co_await Change(request, name, verb));
  }
  co_return true;
}

io::Task<io::ServerResponse> PluginSurface::List() {
  co_await deps_.plugins.ProbeSandbox();
  Json list = Json::array();
  for (const plugin::PluginInfo& info : deps_.plugins.List()) list.push_back(InfoJson(info));
  co_return Ok({{"plugins", std::move(list)}});
}

io::Task<io::ServerResponse> PluginSurface::Inspect(std::string name) {
  const auto report = co_await deps_.plugins.Inspect(std::move(name));
  co_return report.ok() ? Ok(ReportJson(*report)) : ErrorResponse(report.status());
}

io::Task<absl::Status> PluginSurface::Trust(const ApiRequest& request, std::string name) {
  TALON_CO_ASSIGN_OR_RETURN(const Json body, ParseJson(request.body, "request body"));
  for (const char* member : {"sha256", "manifest_sha256", "declared_sha256"}) {
    TALON_CO_RETURN_IF_ERROR(CheckMember(body, member, JsonKind::kString));
  }
  co_return co_await deps_.plugins.Trust(std::move(name),
                                         {.sha256 = JsonString(body, "sha256"),
                                          .manifest_sha256 = JsonString(body, "manifest_sha256"),
                                          .declared_sha256 = JsonString(body, "declared_sha256")});
}

io::Task<io::ServerResponse> PluginSurface::Change(const ApiRequest& request, std::string name,
                                                   std::string verb) {
  absl::Status status;
  if (verb == "examine") {
    const auto report = co_await deps_.plugins.Examine(std::move(name));
    co_return report.ok() ? Ok(ReportJson(*report)) : ErrorResponse(report.status());
  }
  if (verb == "stop") {
    status = co_await deps_.plugins.StopOne(name);
  } else if (verb == "restart") {
    status = co_await deps_.plugins.Restart(name);
  } else if (verb == "reload") {
    status = co_await deps_.plugins.Reload(name);
  } else if (verb == "trust") {
    status = co_await Trust(request, name);
  } else if (verb == "enable" || verb == "disable") {
    status = co_await deps_.plugins.SetEnabled(
        name, verb == "enable" ? plugin::Switch::kOn : plugin::Switch::kOff);
  } else {
    status = NotFound(fmt::format("no such endpoint: POST {}", request.path));
  }
  if (!status.ok()) co_return ErrorResponse(status);
  co_return co_await Inspect(std::move(name));
}

// With `follow` a stream of `line` events that ends with the client, the plugin or the daemon.
io::Task<void> PluginSurface::Logs(const ApiRequest& request, std::string name,
                                   io::ResponseWriter& writer) {
  plugin::PluginLog* log = deps_.plugins.LogOf(name);
  if (log == nullptr) {
    co_await Reply(writer,
                   ErrorResponse(NotFound(fmt::format("plugin '{}': no such plugin", name))));
    co_return;
  }
  const std::string lines_text = QueryValue(request.query, "lines");
  std::size_t most = kDefaultLines;
  const auto [end, error] =
      std::from_chars(lines_text.data(), lines_text.data() + lines_text.size(), most);
  if (!lines_text.empty() && error != std::errc()) {
    co_await Reply(writer, ErrorResponse(InvalidArgument("lines: expected a number")));
    co_return;
  }
  std::vector<plugin::LogLine> lines = log->Last(most);
  if (QueryValue(request.query, "follow") != "true") {
    Json list = Json::array();
    for (const plugin::LogLine& line : lines) list.push_back(LineJson(line));
    co_await Reply(writer, Ok({{"lines", std::move(list)}}));
    co_return;
  }
  const auto follower = log->Follow();
  io::ServerResponse head;
  head.headers.Set("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.Set("Cache-Control", "no-cache");
  absl::Status written = co_await writer.StartStream(std::move(head));
  CancelSource end_of_stream(request.client_gone);
  const auto registration = ending_.token().OnCancel(
      [&end_of_stream] { end_of_stream.Cancel(Cancelled("the daemon stops")); });
  while (written.ok()) {
    std::string events;
    for (const plugin::LogLine& line : lines) {
      events += io::FormatSse("line", DumpJson(LineJson(line)));
    }
    if (!events.empty()) written = co_await writer.Write(std::move(events));
    if (!written.ok()) break;
    lines = co_await follower->Next(end_of_stream.token());
    if (lines.empty()) break;
  }
  if (written.ok()) (void)co_await writer.Finish();
}

}  // namespace talon::gateway
