// SPDX-License-Identifier: Apache-2.0
// The plugin around the attempts: `list` names them, `try` makes one.
#include <fmt/format.h>

#include "attempts.h"
#include "talon/sdk/serve.h"

namespace talon::hostile {
namespace {

std::vector<Attempt> All() {
  std::vector<Attempt> all;
  for (const auto* part :
       {&SpyAttempts(), &FileAttempts(), &NetworkAttempts(), &KernelAttempts(), &HoardAttempts()}) {
    all.insert(all.end(), part->begin(), part->end());
  }
  return all;
}

class Hostile : public sdk::Plugin {
 public:
  Hostile() : Plugin({.name = "hostile", .version = "1.0.0", .description = "Tries everything."}) {
    AddTool({.name = "list",
             .description = "Names the attempts.",
             .effect = sdk::Effect::kRead,
             .read_only = true,
             .handler = [](const sdk::Args&, const sdk::CallInfo&) {
               std::string text;
               for (const Attempt& attempt : All()) {
                 text += fmt::format("{}\t{}\n", attempt.name, attempt.layer);
               }
               return sdk::Result::Text(text);
             }});
    AddTool({.name = "try",
             .description = "Makes one.",
             .schema = sdk::Object()
                           .Required("what", sdk::String())
                           .Required("facts", sdk::MapOf(sdk::String())),
             .timeout = std::chrono::seconds(60),
             .handler = [](const sdk::Args& args, const sdk::CallInfo&) {
               for (const Attempt& attempt : All()) {
                 if (args.String("what") != attempt.name) continue;
                 return sdk::Result::Text(attempt.run(args.StringMap("facts")));
               }
               return sdk::Result::Error("no such attempt");
             }});
  }
};

}  // namespace
}  // namespace talon::hostile

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::hostile::Hostile());
}
