// SPDX-License-Identifier: Apache-2.0
// The command line as data, read off the parser's own tables: what completion scripts are made from
// and what a mistyped word is compared with. Main thread.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace talon::cli {

struct OptionWords {
  std::vector<std::string> names;  // "-s", "--session"
  std::string text;
  bool takes_value = false;
  std::vector<std::string> values;  // when only these are taken
};

struct CommandWords {
  std::vector<std::string> names;  // its own first, then its aliases
  std::string text;
  std::vector<OptionWords> options;
  std::vector<std::string> values;  // of its arguments, where only certain ones are taken
  std::vector<CommandWords> subcommands;
};

CommandWords TreeOf(const CLI::App& app);

// What is wrong with the command line that `app` refused: names the word, and the nearest one that
// would have fitted.
std::string UsageText(const CLI::App& app, const CLI::ParseError& error);

}  // namespace talon::cli
