// SPDX-License-Identifier: Apache-2.0
// `talon plugins run`: one tool call from the shell, through the guard.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "io/http_types.h"

namespace talon::cli {
namespace {

absl::StatusOr<Json> ParseArguments(const std::vector<std::string>& given) {
  if (given.size() == 1 && given[0].starts_with('{')) return ParseJson(given[0], "arguments");
  Json object = Json::object();
  for (const std::string& each : given) {
    TALON_RETURN_IF_ERROR(CheckUtf8("arguments", each));
    const std::size_t equals = each.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument(
          fmt::format("argument '{}': expected key=text, key:=JSON or one JSON object", each));
    }
    const std::string value = each.substr(equals + 1);
    if (each[equals - 1] == ':') {
      const std::string key = each.substr(0, equals - 1);
      TALON_ASSIGN_OR_RETURN(object[key], ParseJson(value, fmt::format("argument '{}'", key)));
    } else {
      object[each.substr(0, equals)] = value;
    }
  }
  return object;
}

}  // namespace

int PluginRun(const Globals& globals, const std::string& name, const std::string& tool,
              const std::vector<std::string>& arguments) {
  auto object = ParseArguments(arguments);
  if (!object.ok()) return Fail(globals, object.status(), kUsage);
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  const auto answer =
      (*client)->Call("POST", fmt::format("/v1/plugins/{}/run", io::PercentEncode(name)),
                      DumpJson({{"tool", tool}, {"arguments", *object}}));
  if (!answer.ok()) {
    return Fail(globals, answer.status(),
                absl::IsInvalidArgument(answer.status()) ? kUsage : kFailed);
  }
  const auto result = ParseJson(*answer, "result");
  if (!result.ok()) return Fail(globals, result.status());
  const bool failed = JsonBool(*result, "is_error");
  if (globals.json) {
    std::printf("%s\n", DumpJson({{"ok", !failed}, {"data", *result}}).c_str());
  } else {
    Print(JsonString(*result, "text"));
  }
  return failed ? kFailed : kOk;
}

}  // namespace talon::cli
