// SPDX-License-Identifier: Apache-2.0
// The five tools as functions of the workspace and the limits. Any thread; one that changes a file
// replaces it as a whole, so a reader sees the old or the new content.
#pragma once

#include <cstddef>
#include <cstdint>

#include "talon/sdk/plugin.h"
#include "talon/sdk/workspace.h"

namespace talon::plugins {

struct FilesLimits {
  std::size_t max_read_bytes = 48u << 10;        // of one read's result
  std::size_t max_read_lines = 2000;             // of one read's result
  std::uint64_t max_scan_bytes = 1u << 30;       // a read looks no further for its first line
  std::size_t max_edit_bytes = 8u << 20;         // of a file that is edited
  std::size_t max_entries = 1000;                // of a list
  int max_depth = 16;                            // of folders in list and search
  std::size_t max_matches = 200;                 // of a search
  std::size_t max_search_file_bytes = 4u << 20;  // larger files are skipped
  std::size_t max_search_files = 50'000;         // looked at in one search
  std::size_t max_search_result_bytes = 32u << 10;
};

struct Files {
  sdk::Workspace workspace;
  FilesLimits limits;
};

sdk::Result ReadTool(const Files& files, const sdk::Args& args, const sdk::CallInfo& call);
sdk::Result WriteTool(const Files& files, const sdk::Args& args);
sdk::Result EditTool(const Files& files, const sdk::Args& args);
sdk::Result ListTool(const Files& files, const sdk::Args& args, const sdk::CallInfo& call);
sdk::Result SearchTool(const Files& files, const sdk::Args& args, const sdk::CallInfo& call);

// Opens a regular file for reading; FailedPrecondition for folders, FIFOs, sockets and devices.
// `*size` is its size in bytes.
absl::StatusOr<sdk::Fd> OpenRegular(const sdk::Workspace& workspace, const std::string& path,
                                    std::uint64_t* size);
// The whole file; ResourceExhausted when it is larger than `max_bytes`.
absl::StatusOr<std::string> ReadWhole(const sdk::Workspace& workspace, const std::string& path,
                                      std::size_t max_bytes);

}  // namespace talon::plugins
