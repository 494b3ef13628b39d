// SPDX-License-Identifier: Apache-2.0
#include "cli/plugin_commands.h"

#include <CLI/CLI.hpp>
#include <memory>

namespace talon::cli {
namespace {

// What the verbs take; one of them runs.
struct Arguments {
  std::string name, tool;
  std::string language = "cpp";
  std::string directory;
  CheckOptions check;
  std::vector<std::string> values;
  bool yes = false, follow = false;
  int lines = 100;
};

class Table {
 public:
  Table(CLI::App& parent, Run& run)
      : parent_(parent), run_(run), arguments_(std::make_shared<Arguments>()) {}

  CLI::App* Add(const std::string& verb, const std::string& text,
                std::function<int(const Arguments&)> work) {
    CLI::App* command = parent_.add_subcommand(verb, text);
    command->callback([&run = run_, arguments = arguments_, work = std::move(work)] {
      run = [arguments, work] { return work(*arguments); };
    });
    return command;
  }
  // One whose first argument is a plugin's name.
  CLI::App* AddNamed(const std::string& verb, const std::string& text,
                     std::function<int(const Arguments&)> work) {
    CLI::App* command = Add(verb, text, std::move(work));
    command->add_option("name", arguments_->name, "Name of the plugin")->required();
    return command;
  }
  Arguments& arguments() { return *arguments_; }

 private:
  CLI::App& parent_;
  Run& run_;
  std::shared_ptr<Arguments> arguments_;  // shared with the callbacks
};

// What an author needs; no daemon takes part.
void AddAuthorCommands(Table& table, const Globals& globals) {
  CLI::App* make =
      table.AddNamed("new", "Make the project of a new plugin", [&globals](const Arguments& given) {
        return PluginNew(globals, given.name, given.language, given.directory);
      });
  make->add_option("--lang", table.arguments().language, "cpp, go or python")
      ->check(CLI::IsMember({"cpp", "go", "python"}))
      ->capture_default_str();
  make->add_option("--dir", table.arguments().directory, "Folder of the project (default: ./NAME)");
  CLI::App* check =
      table.Add("check", "Test a plugin against the contract",
                [&globals](const Arguments& given) { return PluginCheck(globals, given.check); });
  CheckOptions& options = table.arguments().check;
  check->add_option("plugin", options.what, "Path of a program, or name of a plugin")->required();
  check->add_option("--config", options.config_json, "Configuration, as a JSON object");
  check->add_flag("--all", options.all,
                  "Also execute tools that are not read-only, with made-up arguments");
  check->add_option("--sandbox", options.sandbox, "Profile of its sandbox: default, strict or none")
      ->check(CLI::IsMember({"default", "strict", "none"}));
  check->add_option("--read", options.read_paths, "Folder or file it may read (repeatable)")
      ->allow_extra_args(false);
  check->add_option("--write", options.write_paths, "Folder it may write in (repeatable)")
      ->allow_extra_args(false);
}

}  // namespace

void AddPluginCommands(CLI::App& app, const Globals& globals, Run& run) {
  CLI::App* plugins = app.add_subcommand("plugins", "List, examine and operate plugins");
  plugins->alias("plugin");
  plugins->require_subcommand(0, 1);
  plugins->callback([&globals, &run] {
    if (!run) run = [&globals] { return PluginList(globals); };
  });
  Table table(*plugins, run);
  table.Add("list", "List plugins and their state",
            [&globals](const Arguments&) { return PluginList(globals); });
  table
      .Add("inspect", "Show what a plugin is, offers and needs",
           [&globals](const Arguments& given) {
             return given.name.find('/') == std::string::npos ? PluginInspect(globals, given.name)
                                                              : PluginExamine(globals, given.name);
           })
      ->add_option("plugin", table.arguments().name,
                   "Name of the plugin, or path of a program (with a '/' in it)")
      ->required();
  table
      .AddNamed("trust", "Let a plugin run as it is now",
                [&globals](const Arguments& given) {
                  return PluginTrust(globals, {given.name, given.yes});
                })
      ->add_flag("-y,--yes", table.arguments().yes, "Do not ask");
  CLI::App* logs =
      table.AddNamed("logs", "Show its last lines of stderr", [&globals](const Arguments& given) {
        return PluginLogs(globals, {given.name, given.lines, given.follow});
      });
  logs->add_option("-n,--lines", table.arguments().lines, "How many lines (100)")
      ->check(CLI::Range(1, 100'000));
  logs->add_flag("-f,--follow", table.arguments().follow, "And those that come");
  CLI::App* call = table.AddNamed("run", "Call one tool", [&globals](const Arguments& given) {
    return PluginRun(globals, given.name, given.tool, given.values);
  });
  call->add_option("tool", table.arguments().tool, "Name of the tool")->required();
  call->add_option("arguments", table.arguments().values,
                   "A JSON object, or key=text and key:=JSON each");
  // What each asks the daemon for.
  for (const auto& [verb, text] :
       {std::pair{"stop", "End its process; the next call starts it again"},
        std::pair{"restart", "End its process and start it again, even after too many crashes"},
        std::pair{"reload", "Start what is there now beside it, and change over when that works"},
        std::pair{"enable", "Undo disable"},
        std::pair{"disable", "Take it out of use until enable"}}) {
    table.AddNamed(verb, text, [&globals, verb = std::string(verb)](const Arguments& given) {
      return PluginChange(globals, given.name, verb);
    });
  }
  AddAuthorCommands(table, globals);
}

}  // namespace talon::cli
