// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <cstdio>

#include "base/status.h"
#include "cli/commands.h"

namespace talon::cli {
namespace {

std::string Names(const std::vector<CommandWords>& commands) {
  std::string names;
  for (const CommandWords& command : commands) names += (names.empty() ? "" : " ") + command.name;
  return names;
}

std::string Joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

void Bash(const std::vector<CommandWords>& commands) {
  std::printf(
      "_talon() {\n  local words='%s --json --help --version'\n  case \"$COMP_CWORD:%s\" in\n",
      Names(commands).c_str(), "${COMP_WORDS[1]}");
  for (const CommandWords& command : commands) {
    if (command.subcommands.empty()) continue;
    std::printf("    2:%s) words='%s --json --help' ;;\n", command.name.c_str(),
                Joined(command.subcommands).c_str());
  }
  std::printf(
      "    1:*) ;;\n    *) words='--json --help' ;;\n  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
      "complete -o default -F _talon talon\n");
}

void Zsh(const std::vector<CommandWords>& commands) {
  std::printf(
      "#compdef talon\n_arguments '--json' '--help' '--version' '1:command:(%s)' "
      "'2:argument:->verb'\n[[ $state == verb ]] && case ${words[2]} in\n",
      Names(commands).c_str());
  for (const CommandWords& command : commands) {
    if (command.subcommands.empty()) continue;
    std::printf("  %s) _values verb %s ;;\n", command.name.c_str(),
                Joined(command.subcommands).c_str());
  }
  std::printf("  *) _files ;;\nesac\n");
}

void Fish(const std::vector<CommandWords>& commands) {
  std::printf("complete -c talon -f -n __fish_use_subcommand -a '%s'\n", Names(commands).c_str());
  for (const CommandWords& command : commands) {
    if (command.subcommands.empty()) continue;
    std::printf("complete -c talon -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                command.name.c_str(), Joined(command.subcommands).c_str());
  }
}

}  // namespace

int Completion(const std::string& shell, const std::vector<CommandWords>& commands) {
  if (shell == "bash") {
    Bash(commands);
  } else if (shell == "zsh") {
    Zsh(commands);
  } else if (shell == "fish") {
    Fish(commands);
  } else {
    return Fail({}, InvalidArgument("completion: the shell is one of bash, zsh, fish"), kUsage);
  }
  return kOk;
}

}  // namespace talon::cli
