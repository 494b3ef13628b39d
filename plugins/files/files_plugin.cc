// SPDX-License-Identifier: Apache-2.0
#include "files/files_plugin.h"

#include <optional>

#include "files/tools.h"

namespace talon::plugins {
namespace {

using sdk::Args;
using sdk::CallInfo;
using sdk::Effect;
using sdk::Integer;
using sdk::Object;
using sdk::Result;
using sdk::String;

sdk::PluginInfo Info() {
  return {.name = "files",
          .version = "1.0.0",
          .description = "Reads, writes and searches files of the workspace.",
          .config = Object()
                        .Optional("max_read_bytes", Integer())
                        .Optional("max_edit_bytes", Integer())
                        .Optional("max_entries", Integer())
                        .Optional("max_matches", Integer())
                        .Optional("max_search_file_bytes", Integer()),
          .needs = {.workspace = sdk::Access::kWrite}};
}

class FilesPlugin : public sdk::Plugin {
 public:
  FilesPlugin() : Plugin(Info()) {
    AddReaders();
    AddWriters();
  }

  absl::Status Configure(const Args& config, const sdk::Folders& folders) override {
    absl::StatusOr<sdk::Workspace> workspace = sdk::Workspace::Open(folders.workspace);
    if (!workspace.ok()) return workspace.status();
    FilesLimits limits;
    const auto set = [&](const char* name, std::size_t& limit) {
      const long value = config.Int(name, static_cast<long>(limit));
      if (value <= 0) return absl::InvalidArgumentError(std::string(name) + " must be above 0");
      limit = static_cast<std::size_t>(value);
      return absl::OkStatus();
    };
    absl::Status status = set("max_read_bytes", limits.max_read_bytes);
    status.Update(set("max_edit_bytes", limits.max_edit_bytes));
    status.Update(set("max_entries", limits.max_entries));
    status.Update(set("max_matches", limits.max_matches));
    status.Update(set("max_search_file_bytes", limits.max_search_file_bytes));
    if (status.ok()) files_.emplace(Files{*std::move(workspace), limits});
    return status;
  }

 private:
  void AddReaders() {
    AddTool({.name = "read",
             .description = "Read a text file of the workspace.",
             .schema = Object()
                           .Required("path", String())
                           .Optional("offset", Integer("first line, from 1").Min(1))
                           .Optional("limit", Integer("lines").Min(1)),
             .effect = Effect::kRead,
             .read_only = true,
             .sink_arguments = {"path"},
             .handler = [this](const Args& args, const CallInfo& call) {
               return ReadTool(*files_, args, call);
             }});
    AddTool({.name = "list",
             .description = "List a folder of the workspace with sizes.",
             .schema = Object()
                           .Optional("path", String())
                           .Optional("depth", Integer("levels, default 1").Min(1)),
             .effect = Effect::kRead,
             .read_only = true,
             .sink_arguments = {"path"},
             .handler = [this](const Args& args, const CallInfo& call) {
               return ListTool(*files_, args, call);
             }});
    AddTool({.name = "search",
             .description = "Find lines containing text in a file or folder.",
             .schema = Object()
                           .Required("query", String())
                           .Optional("path", String())
                           .Optional("regex", sdk::Boolean("query is an RE2 pattern")),
             .effect = Effect::kRead,
             .read_only = true,
             .sink_arguments = {"path"},
             .handler = [this](const Args& args, const CallInfo& call) {
               return SearchTool(*files_, args, call);
             }});
  }

  void AddWriters() {
    // Writing the same content again changes nothing, so a repeated call has no second effect.
    AddTool({.name = "write",
             .description = "Create or replace a file; makes missing folders.",
             .schema = Object().Required("path", String()).Required("content", String()),
             .effect = Effect::kWrite,
             .idempotent = true,
             .sink_arguments = {"path"},
             .handler = [this](const Args& args, const CallInfo&) {
               return WriteTool(*files_, args);
             }});
    AddTool(
        {.name = "edit",
         .description = "Replace exact text in a file. `old` must occur once unless `all`.",
         .schema = Object()
                       .Required("path", String())
                       .Required("old", String())
                       .Required("new", String())
                       .Optional("all", sdk::Boolean()),
         .effect = Effect::kWrite,
         .sink_arguments = {"path"},
         .handler = [this](const Args& args, const CallInfo&) { return EditTool(*files_, args); }});
  }

  std::optional<Files> files_;  // set by Configure, before any handler
};

}  // namespace

std::unique_ptr<sdk::Plugin> MakeFilesPlugin() {
  return std::make_unique<FilesPlugin>();
}

}  // namespace talon::plugins
