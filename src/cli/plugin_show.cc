// SPDX-License-Identifier: Apache-2.0
// `talon plugins list` and `inspect`, and the verbs that change what runs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "io/http_types.h"

namespace talon::cli {
namespace {

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

void PrintTool(const Json& tool) {
  std::string marks = JsonString(tool, "effect", "EFFECT_CLASS_EXEC");
  marks = marks.substr(marks.rfind('_') + 1);
  for (const char* mark : {"readOnly", "idempotent", "userOnly", "streams", "asks"}) {
    if (JsonBool(tool, mark)) marks += fmt::format(" {}", mark);
  }
  Print(fmt::format("  {} ({})\n    {}\n    {}", JsonString(tool, "name"), marks,
                    FirstLine(JsonString(tool, "description")), JsonString(tool, "schemaJson")));
}

}  // namespace

void PrintPlugin(const Json& plugin) {
  Print(fmt::format("{} {}  {}", JsonString(plugin, "name"), JsonString(plugin, "version"),
                    JsonString(plugin, "state")));
  constexpr std::pair<const char*, const char*> kLines[] = {
      {"description", ""},    {"program", "program  "}, {"sha256", "sha256   "},
      {"trust", "trust    "}, {"problem", ""},          {"last_error", ""}};
  for (const auto& [key, label] : kLines) {
    const std::string value = JsonString(plugin, key);
    if (!value.empty()) Print(label + value);
  }
  if (JsonFind(plugin, "owner") != nullptr) {
    Print(fmt::format("owner    {}", JsonInt(plugin, "owner")));
  }
  const Json* manifest = JsonFind(plugin, "manifest");
  if (manifest == nullptr) return Print("its tools are not known before it runs");
  for (const char* point : {"auth", "storage", "notify", "tasks", "hook", "http", "model"}) {
    if (const Json* value = JsonFind(*manifest, point)) {
      Print(fmt::format("offers {}: {}", point, DumpJson(*value)));
    }
  }
  const Json* needs = JsonFind(*manifest, "needs");
  Print("needs    " + (needs == nullptr ? std::string("nothing") : DumpJson(*needs)));
  Print("tools:");
  ForEach(*manifest, "tools", PrintTool);
}

int PluginList(const Globals& globals) {
  return Report(globals, "GET", "/v1/plugins", [](const Json& json) {
    ListEach(json, "plugins", "no plugins", [](const Json& plugin) {
      const std::string error = FirstLine(JsonString(plugin, "last_error"));
      const Json* box = JsonFind(plugin, "sandbox");
      Print(fmt::format(
          "{:12} {:10} {:5} {:8} {}", JsonString(plugin, "name"), JsonString(plugin, "state"),
          box == nullptr ? "" : JsonString(*box, "grade"), JsonString(plugin, "version"),
          error.empty() ? JsonString(plugin, "description") : error));
    });
  });
}

int PluginInspect(const Globals& globals, const std::string& name) {
  return Report(globals, "GET", "/v1/plugins/" + io::PercentEncode(name), PrintPlugin);
}

int PluginChange(const Globals& globals, const std::string& name, const std::string& verb) {
  return Report(
      globals, "POST", fmt::format("/v1/plugins/{}/{}", io::PercentEncode(name), verb),
      [](const Json& plugin) {
        Print(fmt::format("{}: {}", JsonString(plugin, "name"), JsonString(plugin, "state")));
      });
}

}  // namespace talon::cli
