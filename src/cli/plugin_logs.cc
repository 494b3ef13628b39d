// SPDX-License-Identifier: Apache-2.0
// `talon plugins logs`.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "io/http_types.h"
#include "io/loop.h"

namespace talon::cli {
namespace {

void PrintLine(const Json& line) {
  Print(fmt::format("{} {:5} {}", JsonString(line, "time"), JsonString(line, "level"),
                    JsonString(line, "text")));
}

}  // namespace

int PluginLogs(const Globals& globals, const LogOptions& options) {
  const std::string path =
      fmt::format("/v1/plugins/{}/logs?lines={}", io::PercentEncode(options.name), options.lines);
  if (options.follow) {
    auto client = Client::Connect();
    if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
    // One that lives for this command has nothing to follow.
    if (!(*client)->embedded()) {
      const absl::Status status = (*client)->loop().RunUntilDone((*client)->Follow(
          path + "&follow=true",
          [&globals](std::string_view, const Json& line) {
            if (globals.json) {
              std::printf("%s\n", DumpJson(line).c_str());
            } else {
              PrintLine(line);
            }
            std::fflush(stdout);
          },
          CallContext()));
      return status.ok() ? kOk : Fail(globals, status);
    }
  }
  return Report(globals, "GET", path,
                [](const Json& json) { ListEach(json, "lines", "no lines yet", PrintLine); });
}

}  // namespace talon::cli
