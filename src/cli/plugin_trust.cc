// SPDX-License-Identifier: Apache-2.0
// `talon plugins trust`: shows what would be trusted, asks, and trusts exactly that.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "io/http_types.h"

namespace talon::cli {
namespace {

bool Confirmed() {
  std::printf("Trust it? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

int PluginTrust(const Globals& globals, const TrustOptions& options) {
  if (!options.yes && (globals.json || ::isatty(STDIN_FILENO) == 0)) {
    return Fail(globals,
                InvalidArgument("trust: nobody is there to be asked; look at `talon plugins "
                                "inspect` and say --yes"),
                kUsage);
  }
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  const std::string path = "/v1/plugins/" + io::PercentEncode(options.name);
  const auto shown = (*client)->Call("POST", path + "/examine");
  if (!shown.ok()) return Fail(globals, shown.status());
  const auto plugin = ParseJson(*shown, "plugin");
  if (!plugin.ok()) return Fail(globals, plugin.status());
  if (!globals.json) PrintPlugin(*plugin);
  if (!options.yes && !Confirmed()) return Fail(globals, Cancelled("trust: nothing was changed"));
  const auto trusted =
      (*client)->Call("POST", path + "/trust",
                      DumpJson({{"sha256", JsonString(*plugin, "sha256")},
                                {"manifest_sha256", JsonString(*plugin, "manifest_sha256")},
                                {"declared_sha256", JsonString(*plugin, "declared_sha256")}}));
  if (!trusted.ok()) return Fail(globals, trusted.status());
  const auto now = ParseJson(*trusted, "plugin");
  if (!now.ok()) return Fail(globals, now.status());
  if (globals.json) {
    PrintData(*now);
  } else {
    Print(JsonString(*now, "name") + ": trusted, " + JsonString(*now, "state"));
  }
  return kOk;
}

}  // namespace talon::cli
