// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "base/status.h"
#include "cli/commands.h"

namespace talon::cli {

int Completion(const std::string& shell, const std::vector<std::string>& commands) {
  const std::string words = fmt::format("{}", fmt::join(commands, " "));
  if (shell == "bash") {
    std::printf("complete -W '%s --json --help --version' talon\n", words.c_str());
  } else if (shell == "zsh") {
    std::printf("#compdef talon\n_arguments '--json' '--help' '--version' '1:command:(%s)'\n",
                words.c_str());
  } else if (shell == "fish") {
    std::printf("complete -c talon -f -n __fish_use_subcommand -a '%s'\n", words.c_str());
  } else {
    return Fail({}, InvalidArgument("completion: the shell is one of bash, zsh, fish"), kUsage);
  }
  return kOk;
}

}  // namespace talon::cli
