// SPDX-License-Identifier: Apache-2.0
// A plugin written with the C++ SDK, with what of the interop matrix the SDK serves.
#include <chrono>
#include <thread>

#include "talon/sdk/plugin.h"
#include "talon/sdk/serve.h"

namespace {

using namespace talon::sdk;

class Peer : public Plugin {
 public:
  Peer()
      : Plugin({.name = "peer",
                .version = "1.0.0",
                .description = "For tests.",
                .config = Object(),
                .needs = {}}) {
    Add("echo", [](const Args& args, const CallInfo&) {
      return Result::Text(R"({"text":")" + args.String("text") + R"("})");
    });
    Add("fail", [](const Args&, const CallInfo&) { return Result::Error("naïve: 100% of it"); });
    Add("wait", [](const Args&, const CallInfo& call) {
      while (!call.cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return Result::Text("cancelled");
    });
  }

 private:
  void Add(std::string name, Handler handler) {
    AddTool({.name = std::move(name),
             .description = "For tests.",
             .schema = Object().Optional("text", String()),
             .effect = Effect::kRead,
             .read_only = true,
             .handler = std::move(handler)});
  }
};

}  // namespace

int main(int argc, char** argv) {
  return Serve(argc, argv, Peer());
}
