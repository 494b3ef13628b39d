// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <string_view>

namespace talon::cli {
namespace {

// A word as the shells read it; all three take this form.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out.push_back(c);
    }
  }
  return out + "'";
}

// A command with its place: "" for the program, " plugins", " plugins run", …
using Visit = std::function<void(const std::string& at, const CommandWords& command)>;

void Walk(const std::string& at, const CommandWords& command, const Visit& visit) {
  visit(at, command);
  for (const CommandWords& inner : command.subcommands) {
    Walk(at + " " + inner.names.front(), inner, visit);
  }
}

// The words behind `at`, as alternatives of a `case`.
std::string Alternatives(const std::string& at, const std::vector<std::string>& words,
                         std::string_view separator) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(Quoted(at + " " + word));
  return fmt::format("{}", fmt::join(quoted, separator));
}

// Options of the program itself are taken by every command.
std::vector<OptionWords> OptionsAt(const CommandWords& tree, const CommandWords& command) {
  std::vector<OptionWords> options = command.options;
  if (&command == &tree) return options;
  for (const OptionWords& option : tree.options) {
    if (option.names != std::vector<std::string>{"-h", "--help"}) options.push_back(option);
  }
  return options;
}

// The lines of a `case "$at $word"` (bash, zsh): commands move `at`, options that take a value make
// `option` hold them.
std::string Steps(const CommandWords& tree) {
  std::string out;
  Walk("", tree, [&](const std::string& at, const CommandWords& command) {
    for (const CommandWords& inner : command.subcommands) {
      out += fmt::format("      {}) at={} ;;\n", Alternatives(at, inner.names, "|"),
                         Quoted(at + " " + inner.names.front()));
    }
    for (const OptionWords& option : OptionsAt(tree, command)) {
      if (!option.takes_value) continue;
      out +=
          fmt::format("      {}) option=\"$at $word\" ;;\n", Alternatives(at, option.names, "|"));
    }
  });
  return out;
}

std::vector<std::string> WordsAt(const CommandWords& tree, const CommandWords& command) {
  std::vector<std::string> words = command.values;
  for (const CommandWords& inner : command.subcommands) {
    words.insert(words.end(), inner.names.begin(), inner.names.end());
  }
  for (const OptionWords& option : OptionsAt(tree, command)) {
    words.insert(words.end(), option.names.begin(), option.names.end());
  }
  return words;
}

// "name:description" for zsh's _describe.
std::string Described(const std::string& name, std::string_view text) {
  std::string out;
  for (const char c : name) {
    if (c == ':') out.push_back('\\');
    out.push_back(c);
  }
  return Quoted(fmt::format("{}:{}", out, text));
}

}  // namespace

std::string BashCompletion(const CommandWords& tree) {
  std::string values, words;
  Walk("", tree, [&](const std::string& at, const CommandWords& command) {
    for (const OptionWords& option : OptionsAt(tree, command)) {
      if (option.values.empty()) continue;
      values += fmt::format("      {}) words={} ;;\n", Alternatives(at, option.names, "|"),
                            Quoted(fmt::format("{}", fmt::join(option.values, " "))));
    }
    words += fmt::format("      {}) words={} ;;\n", Quoted(at),
                         Quoted(fmt::format("{}", fmt::join(WordsAt(tree, command), " "))));
  });
  return fmt::format(R"bash(# bash completion for talon
_talon() {{
  local at= option= word words= i
  local current=${{COMP_WORDS[COMP_CWORD]}}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    [[ $word == = ]] && continue
    if [[ $option ]]; then option=; continue; fi
    case "$at $word" in
{}    esac
  done
  [[ $current == = ]] && current=
  if [[ $option ]]; then
    case "$option" in
{}    esac
  else
    case "$at" in
{}    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _talon talon
)bash",
                     Steps(tree), values, words);
}

std::string ZshCompletion(const CommandWords& tree) {
  std::string values, places;
  Walk("", tree, [&](const std::string& at, const CommandWords& command) {
    std::string commands, options;
    for (const CommandWords& inner : command.subcommands) {
      for (const std::string& name : inner.names) commands += " " + Described(name, inner.text);
    }
    for (const std::string& value : command.values) commands += " " + Quoted(value);
    for (const OptionWords& option : OptionsAt(tree, command)) {
      for (const std::string& name : option.names) options += " " + Described(name, option.text);
      if (option.values.empty()) continue;
      values += fmt::format("      {}) commands=({}) ;;\n", Alternatives(at, option.names, "|"),
                            fmt::join(option.values, " "));
    }
    places +=
        fmt::format("      {}) commands=({}) options=({}) ;;\n", Quoted(at), commands, options);
  });
  return fmt::format(R"zsh(#compdef talon
# zsh completion for talon
_talon() {{
  local at= option= word i
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    word=${{words[i]}}
    if [[ -n $option ]]; then option=; continue; fi
    case "$at $word" in
{}    esac
  done
  if [[ -n $option ]]; then
    case "$option" in
{}    esac
  else
    case "$at" in
{}    esac
  fi
  if [[ ${{#commands}} -gt 0 ]]; then _describe argument commands; else _files; fi
  if [[ ${{#options}} -gt 0 ]]; then _describe -o option options; fi
}}
if [[ ${{funcstack[1]}} == _talon ]]; then
  _talon "$@"  # loaded by name from a folder of $fpath
else
  (( ${{+functions[compdef]}} )) || {{ autoload -Uz compinit && compinit; }}
  compdef _talon talon
fi
)zsh",
                     Steps(tree), values, places);
}

std::string FishCompletion(const CommandWords& tree) {
  std::string steps, lines;
  Walk("", tree, [&](const std::string& at, const CommandWords& command) {
    const std::string here = fmt::format("complete -c talon -n \"__talon_at {}\"", Quoted(at));
    for (const CommandWords& inner : command.subcommands) {
      steps +=
          fmt::format("            case {}\n                set at {}\n",
                      Alternatives(at, inner.names, " "), Quoted(at + " " + inner.names.front()));
      for (const std::string& name : inner.names) {
        lines += fmt::format("{} -f -a {} -d {}\n", here, Quoted(name), Quoted(inner.text));
      }
    }
    for (const std::string& value : command.values) {
      lines += fmt::format("{} -f -a {}\n", here, Quoted(value));
    }
    for (const OptionWords& option : OptionsAt(tree, command)) {
      lines += here;
      for (const std::string& name : option.names) {
        lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      lines += " -d " + Quoted(option.text);
      if (!option.takes_value) {
        lines += "\n";
        continue;
      }
      steps += fmt::format("            case {}\n                set skip yes\n",
                           Alternatives(at, option.names, " "));
      lines += option.values.empty()
                   ? std::string(" -r\n")
                   : fmt::format(" -x -a {}\n",
                                 Quoted(fmt::format("{}", fmt::join(option.values, " "))));
    }
  });
  return fmt::format(R"fish(# fish completion for talon
function __talon_at --description 'Whether the command before the cursor is this one'
    set -l at ''
    set -l skip ''
    set -l words (commandline -opc)
    for word in $words[2..]
        if test -n "$skip"
            set skip ''
            continue
        end
        switch "$at $word"
{}        end
    end
    test "$at" = "$argv[1]"
end
complete -c talon -e
{})fish",
                     steps, lines);
}

}  // namespace talon::cli
