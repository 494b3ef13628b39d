// SPDX-License-Identifier: Apache-2.0
// The plugin without a process: PluginHarness checks and calls it as the daemon would.
#include "plugin.h"

#include <cstdio>
#include <memory>

#include "talon/sdk/testing.h"

namespace {

int failures = 0;

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s\n", what);
  ++failures;
}

}  // namespace

int main() {
  talon::sdk::PluginHarness plugin(std::make_unique<GreeterPlugin>());
  Expect(plugin.Configure(R"({"greeting": "Moin"})").ok(), "it takes a greeting");

  const auto answer = plugin.Execute("greet", R"({"name": "Ada"})");
  Expect(answer.ok() && answer->content == "Moin, Ada!", "it greets by name");
  const auto nobody = plugin.Execute("greet", R"({"name": ""})");
  Expect(nobody.ok() && !nobody->error.empty(), "it refuses an empty name");
  const auto nameless = plugin.Execute("greet", "{}");
  Expect(nameless.ok() && !nameless->error.empty(), "it wants a name");

  talon::sdk::PluginHarness wrong(std::make_unique<GreeterPlugin>());
  Expect(!wrong.Configure(R"({"greting": "Moin"})").ok(), "it refuses unknown options");
  return failures == 0 ? 0 : 1;
}
