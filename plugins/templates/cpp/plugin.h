// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "talon/sdk/plugin.h"

class GreeterPlugin : public talon::sdk::Plugin {
 public:
  GreeterPlugin();
  // Called once, before any call. Handlers run on several threads: treat what is set here as const.
  absl::Status Configure(const talon::sdk::Args& config,
                         const talon::sdk::Folders& folders) override;

 private:
  talon::sdk::Result Greet(const talon::sdk::Args& args) const;

  std::string greeting_ = "Hello";
};
