// SPDX-License-Identifier: Apache-2.0
#include "cli/own_folder.h"

#include <filesystem>

#include "plugin/program.h"

namespace talon::cli {

std::vector<std::string> OwnFolder(const std::string& program, const std::string& home) {
  const auto opened = plugin::Program::Open(program);
  if (!opened.ok() || (*opened)->runs_by_descriptor()) return {};
  const std::string folder = std::filesystem::path((*opened)->path()).parent_path().string();
  std::error_code error;
  const std::string kept = std::filesystem::weakly_canonical(home, error).string() + "/";
  if (folder == "/" || kept.starts_with(folder + "/")) return {};
  return {folder};
}

}  // namespace talon::cli
