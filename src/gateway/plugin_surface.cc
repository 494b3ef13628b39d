// SPDX-License-Identifier: Apache-2.0
#include "gateway/plugin_surface.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"
#include "gateway/api.h"
#include "gateway/surfaces.h"
#include "guard/guard.h"
#include "plugin/manifest.h"

namespace talon::gateway {
namespace {

constexpr std::string_view kPrefix = "/v1/plugins";

io::ServerResponse Ok(const Json& json) {
  return JsonResponse(200, DumpJson(json));
}

Json InfoJson(const plugin::PluginInfo& info) {
  return {{"name", info.name},
          {"state", plugin::PluginStateName(info.state)},
          {"path", info.path},
          {"version", info.version},
          {"description", info.description},
          {"pid", info.pid},
          {"calls", info.calls},
          {"failures", info.failures},
          {"restarts", info.restarts},
          {"last_error", info.last_error},
          {"tools", info.tools}};
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
  const bool post = request.method == "POST";
  if (name.empty() || verb.empty()) {
    if (!get) {
      co_await Reply(writer, WrongMethod(path, "GET"));
    } else {
      co_await Reply(writer, name.empty() ? List() : co_await Inspect(name));
    }
    co_return true;
  }
  if (!post) co_return false;
  co_await Reply(writer, verb == "run" ? co_await RunTool(request, name)
                                       : co_await Change(request, name, verb));
  co_return true;
}

io::ServerResponse PluginSurface::List() const {
  Json list = Json::array();
  for (const plugin::PluginInfo& info : deps_.plugins.List()) list.push_back(InfoJson(info));
  return Ok({{"plugins", std::move(list)}});
}

io::Task<io::ServerResponse> PluginSurface::Inspect(std::string name) {
  for (const plugin::PluginInfo& info : deps_.plugins.List()) {
    if (info.name != name) continue;
    Json json = InfoJson(info);
    if (const plugin::Manifest* manifest = deps_.plugins.ManifestOf(name)) {
      auto text = plugin::ManifestToJson(*manifest);
      auto parsed = text.ok() ? ParseJson(*text, "manifest") : absl::StatusOr<Json>(text.status());
      if (parsed.ok()) json["manifest"] = *std::move(parsed);
    }
    co_return Ok(json);
  }
  co_return ErrorResponse(NotFound(
      fmt::format("plugin '{}': no such plugin; `talon plugins` lists those there are", name)));
}

io::Task<io::ServerResponse> PluginSurface::Change(const ApiRequest& request, std::string name,
                                                   std::string verb) {
  absl::Status status;
  if (verb == "stop") {
    status = co_await deps_.plugins.StopOne(name);
  } else if (verb == "restart") {
    status = co_await deps_.plugins.Restart(name);
  } else {
    status = NotFound(fmt::format("no such endpoint: POST {}", request.path));
  }
  if (!status.ok()) co_return ErrorResponse(status);
  co_return co_await Inspect(std::move(name));
}

io::Task<io::ServerResponse> PluginSurface::RunTool(const ApiRequest& request, std::string name) {
  auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  for (const auto& [member, kind] :
       {std::pair{"tool", JsonKind::kString}, std::pair{"arguments", JsonKind::kObject}}) {
    absl::Status status = CheckMember(*body, member, kind);
    if (!status.ok()) co_return ErrorResponse(status);
  }
  guard::CallRequest ask;
  ask.tool = fmt::format("{}__{}", name, JsonString(*body, "tool"));
  const Json* arguments = JsonFind(*body, "arguments");
  ask.arguments = arguments == nullptr ? "{}" : DumpJson(*arguments);
  ask.principal = PrincipalOf(request, "cli");
  ask.from_user = true;
  const guard::CheckedCall checked = deps_.guard.CheckCall(ask);
  if (checked.decision.verdict == hook::Verdict::kBlock) {
    co_return ErrorResponse(InvalidArgument(checked.decision.reason));
  }
  const std::shared_ptr<tool::Tool> tool = checked.entry->tool;
  const tool::ToolSpec spec = tool->spec();
  if (spec.plugin != name) {
    co_return ErrorResponse(NotFound(fmt::format("plugin '{}' has no such tool", name)));
  }
  tool::Invocation invocation;
  invocation.call_id = "call_" + deps_.ids.Next();
  invocation.tool = spec.name;
  invocation.arguments = checked.arguments;
  if (!spec.read_only) invocation.idempotency_key = invocation.call_id;
  const std::string call_id = invocation.call_id;
  CallContext context;
  context.principal = ask.principal;
  context.cancel = request.client_gone;
  context.deadline = deps_.clock.SteadyNow() +
                     (spec.timeout.count() > 0 ? spec.timeout : deps_.guard.options().tool_timeout);
  const auto output = co_await tool->Execute(std::move(invocation), context);
  if (!output.ok()) co_return ErrorResponse(output.status());
  const guard::AdmittedResult result = deps_.guard.AdmitResult(spec, call_id, *output, "");
  co_return Ok({{"tool", spec.name},
                {"is_error", result.is_error},
                {"text", result.overflow.empty() ? guard::PluginOutputText(result.content)
                                                 : std::string_view(result.overflow)}});
}

}  // namespace talon::gateway
