// SPDX-License-Identifier: Apache-2.0
// A plugin written with the SDK whose tools tell their progress, ask the person and change.
#include <poll.h>

#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "talon/sdk/serve.h"

namespace talon {
namespace {

using namespace sdk;

std::string Told(const Answer& answer) {
  const char* action = answer.accepted()                         ? "accept"
                       : answer.action == AnswerAction::kDecline ? "decline"
                                                                 : "cancel";
  return std::string(action) + " " + answer.content.json().dump() + " " + answer.reason;
}

class SdkPlugin : public Plugin {
 public:
  SdkPlugin()
      : Plugin({.name = "sdk",
                .version = "1.0",
                .description = "Tells and asks.",
                .config = Object().Optional("names", ArrayOf(String())),
                .needs = {},
                .dynamic = true,
                .watch = true}) {
    for (Tool& tool : Fixed()) AddTool(std::move(tool));
  }

  absl::Status Configure(const Args& config, const Folders&) override {
    return Offer(config.Strings("names"));
  }

 private:
  absl::Status Offer(const std::vector<std::string>& names) {
    std::vector<Tool> tools = Fixed();
    for (const std::string& name : names) {
      tools.push_back(
          {.name = name,
           .description = "Says its name.",
           .effect = Effect::kRead,
           .read_only = true,
           .handler = [name](const Args&, const CallInfo&) { return Result::Text(name); }});
    }
    return SetTools(std::move(tools));
  }

  static Tool Talker(std::string name, Handler handler) {
    return {.name = std::move(name),
            .description = "Talks.",
            .schema = Schema::FromJson(R"({"type":"object"})"),
            .effect = Effect::kRead,
            .read_only = true,
            .asks = true,
            .handler = std::move(handler)};
  }

  std::vector<Tool> Fixed() {
    std::vector<Tool> tools;
    tools.push_back({.name = "steps",
                     .description = "Tells its progress.",
                     .schema = Object().Optional("count", Integer()),
                     .effect = Effect::kRead,
                     .read_only = true,
                     .streams = true,
                     .handler = [](const Args& args, const CallInfo& call) {
                       const long count = args.Int("count", 3);
                       for (long i = 1; i <= count; ++i) {
                         call.Progress("step " + std::to_string(i), static_cast<double>(i),
                                       static_cast<double>(count));
                       }
                       const Answer answer = call.Ask({.text = "May I?"});
                       return Result::Text("done; " + Told(answer));
                     }});
    tools.push_back(Talker("ask", [](const Args&, const CallInfo& call) {
      call.Progress("asking");
      const Answer how = call.Ask({.text = "How many?", .form = Object().Required("n", Integer())});
      const Answer sure = call.Ask({.text = "Sure?"});
      return Result::Text(Told(how) + ", " + Told(sure));
    }));
    // Two questions at once, from threads of its own.
    tools.push_back(Talker("ask_twice", [](const Args&, const CallInfo& call) {
      Answer other;
      std::thread second([&] { other = call.Ask({.text = "B"}); });
      const Answer first = call.Ask({.text = "A"});
      second.join();
      return Result::Text(Told(first) + ", " + Told(other));
    }));
    // Notes in `file` that the handler has seen its end.
    tools.push_back(Talker("ask_for_ever", [](const Args& args, const CallInfo& call) {
      const Answer answer = call.Ask({.text = "Anybody?"});
      std::ofstream(args.String("file")) << Told(answer) << (call.cancelled() ? "cancelled" : "");
      return Result::Text("never read");
    }));
    tools.push_back(Talker("set_tools", [this](const Args& args, const CallInfo&) {
      const absl::Status set = Offer(args.Strings("names"));
      return set.ok() ? Result::Text("set") : Result::Error(set);
    }));
    return tools;
  }
};

}  // namespace
}  // namespace talon

int main(int argc, char** argv) {
  return talon::sdk::Serve(argc, argv, talon::SdkPlugin());
}
