// SPDX-License-Identifier: Apache-2.0
#include "plugin/check/manifest_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "tool/schema.h"

namespace talon::plugin::check {
namespace {

constexpr std::size_t kLongDescription = 400;  // bytes: paid for at every turn

using Problems = std::vector<std::string>;

// `tool` is the manifest's as JSON.
void JudgeTool(const Json& tool, Problems& errors, Problems& warnings) {
  const std::string name = JsonString(tool, "name");
  const auto schema = tool::Schema::Compile(JsonString(tool, "schemaJson"));
  if (!schema.ok()) {
    errors.push_back(fmt::format("tool '{}': its schema: {}", name, Message(schema.status())));
    return;
  }
  const auto& known = (*schema)->property_names();
  for (const Json& sink : tool.value("sinkArguments", Json::array())) {
    if (!sink.is_string() || std::ranges::count(known, sink.get<std::string>()) > 0) continue;
    errors.push_back(fmt::format("tool '{}': sink argument '{}' is not in its schema", name,
                                 sink.get<std::string>()));
  }
  const std::string effect = JsonString(tool, "effect");
  const bool read_only = JsonBool(tool, "readOnly");
  if (effect.empty()) {
    warnings.push_back(fmt::format("tool '{}': it names no effect and counts as exec", name));
  } else if (read_only && effect != "EFFECT_CLASS_READ" && effect != "EFFECT_CLASS_SEND") {
    // A request that changes nothing still tells somebody something.
    errors.push_back(fmt::format("tool '{}': it is read_only, but its effect is {}", name, effect));
  }
  const std::string description = JsonString(tool, "description");
  if (description.empty()) {
    errors.push_back(fmt::format("tool '{}': it has no description for the model", name));
  } else if (description.size() > kLongDescription) {
    warnings.push_back(
        fmt::format("tool '{}': its description of {} bytes is paid for at every "
                    "turn; aim at {}",
                    name, description.size(), kLongDescription));
  }
}

Finding Judged(const Problems& errors, const Problems& warnings, std::string good) {
  if (errors.empty() && warnings.empty()) return {"manifest", Verdict::kPass, std::move(good)};
  Problems all = errors;
  all.insert(all.end(), warnings.begin(), warnings.end());
  return {"manifest", errors.empty() ? Verdict::kWarn : Verdict::kFail,
          fmt::format("{}", fmt::join(all, "; "))};
}

}  // namespace

Finding JudgeManifest(const Manifest& manifest) {
  const auto text = ManifestToJson(manifest);
  if (!text.ok()) return {"manifest", Verdict::kFail, std::string(Message(text.status()))};
  const auto json = ParseJson(*text, "manifest");
  if (!json.ok()) return {"manifest", Verdict::kFail, std::string(Message(json.status()))};
  Problems errors;
  Problems warnings;
  if (manifest.version.empty()) warnings.push_back("it names no version");
  if (manifest.description.empty()) warnings.push_back("it has no description");
  for (const Json& tool : json->value("tools", Json::array())) JudgeTool(tool, errors, warnings);
  return Judged(errors, warnings,
                fmt::format("{} {}, {} tools", JsonString(*json, "name"), manifest.version,
                            manifest.tools.size()));
}

std::vector<std::string_view> DeclaredMethods(const Manifest& manifest) {
  std::vector<std::string_view> methods;
  const auto add = [&](bool declared, std::string_view method) {
    if (declared) methods.push_back(method);
  };
  add(manifest.auth.has_value(), "/talon.v1.AuthProvider/Authenticate");
  add(manifest.storage.has_value(), "/talon.v1.Storage/Get");
  add(manifest.notify.has_value(), "/talon.v1.NotificationChannel/Notify");
  add(!manifest.tasks.empty(), "/talon.v1.ScheduledTask/RunTask");
  add(manifest.hook.has_value(), "/talon.v1.Hook/Advise");
  add(manifest.http.has_value(), "/talon.v1.HttpEndpoint/Handle");
  return methods;
}

}  // namespace talon::plugin::check
