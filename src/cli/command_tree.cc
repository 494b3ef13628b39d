// SPDX-License-Identifier: Apache-2.0
#include "cli/command_tree.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <string_view>

#include "base/text.h"

namespace talon::cli {
namespace {

// "TEXT:{cpp,go,python}" is how the parser describes a choice.
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  return CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

OptionWords WordsOf(const CLI::Option& option) {
  OptionWords words;
  for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  words.text = option.get_description();
  words.takes_value = option.get_items_expected_max() > 0;
  words.values = ChoicesOf(option);
  return words;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  const std::string_view nearest =
      Nearest(word, std::vector<std::string_view>(known.begin(), known.end()));
  return nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest);
}

std::vector<std::string> NamesOf(const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  for (const CommandWords& command : commands) {
    names.insert(names.end(), command.names.begin(), command.names.end());
  }
  return names;
}

}  // namespace

CommandWords TreeOf(const CLI::App& app) {
  CommandWords words{.names = {app.get_name()}, .text = app.get_description()};
  words.names.insert(words.names.end(), app.get_aliases().begin(), app.get_aliases().end());
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      const std::vector<std::string> choices = ChoicesOf(*option);
      words.values.insert(words.values.end(), choices.begin(), choices.end());
    } else {
      words.options.push_back(WordsOf(*option));
    }
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    words.subcommands.push_back(TreeOf(*command));
  }
  return words;
}

std::string UsageText(const CLI::App& app, const CLI::ParseError& error) {
  // The innermost command that was recognised, and the options that hold there.
  const CLI::App* command = &app;
  std::string path, where;
  std::vector<std::string> options;
  while (true) {
    path += (path.empty() ? "" : " ") + command->get_name();
    for (const OptionWords& option : TreeOf(*command).options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
    }
    const std::vector<CLI::App*> inner = command->get_subcommands();
    if (inner.empty()) break;
    command = inner.front();
    where += command->get_name() + " ";
  }
  if (!where.empty()) where.back() = ':', where += " ";
  const std::string help = fmt::format("; `{} --help` shows what it takes", path);
  const std::vector<std::string> commands = NamesOf(TreeOf(*command).subcommands);
  const std::vector<std::string> left = app.remaining(true);
  if (left.empty() && !commands.empty()) {
    return fmt::format("{}a command is missing: one of {}", where, fmt::join(commands, ", "));
  }
  if (left.empty()) return where + error.what() + help;

  const std::string_view word = left.front();
  if (word.starts_with('-') && word != "-") {
    const std::string_view name = word.substr(0, word.find('='));
    const std::string hint = DidYouMean(name, options);
    return fmt::format("{}unknown option '{}'{}", where, name, hint.empty() ? help : hint);
  }
  if (!commands.empty()) {
    const std::string hint = DidYouMean(word, commands);
    return fmt::format("{}unknown command '{}'{}", where, word, hint.empty() ? help : hint);
  }
  return fmt::format("{}unexpected argument '{}'{}", where, word, help);
}

}  // namespace talon::cli
