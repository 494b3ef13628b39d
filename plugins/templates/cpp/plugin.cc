// SPDX-License-Identifier: Apache-2.0
#include "plugin.h"

using namespace talon::sdk;

GreeterPlugin::GreeterPlugin()
    : Plugin({.name = "greeter",
              .version = "0.1.0",
              .description = "Greets people.",
              .config = Object().Optional("greeting", String("The word to greet with")),
              .needs = {}}) {
  AddTool({.name = "greet",
           .description = "Greets somebody by name.",
           .schema = Object().Required("name", String("Whom to greet")),
           .effect = Effect::kRead,
           .read_only = true,
           .handler = [this](const Args& args, const CallInfo&) { return Greet(args); }});
}

absl::Status GreeterPlugin::Configure(const Args& config, const Folders&) {
  greeting_ = config.String("greeting", greeting_);
  if (greeting_.empty()) return absl::InvalidArgumentError("option 'greeting' is empty");
  return absl::OkStatus();
}

Result GreeterPlugin::Greet(const Args& args) const {
  const std::string name = args.String("name");
  if (name.empty()) return Result::Error("argument 'name' is empty; say whom to greet");
  return Result::Text(greeting_ + ", " + name + "!");
}
