// SPDX-License-Identifier: Apache-2.0
#include "mcp/child_plan.h"

#include <fmt/format.h>

#include <cstdlib>

namespace talon::plugins::mcp {
namespace {

std::string FromEnvironment(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? fallback : value;
}

}  // namespace

ChildPlan PlanChild(const ServerConfig& config, const std::string& home) {
  std::string path = FromEnvironment("PATH", "/usr/local/bin:/usr/bin:/bin");
  if (const std::size_t slash = config.command.rfind('/'); config.command.starts_with('/')) {
    path = fmt::format("{}:{}", config.command.substr(0, std::max<std::size_t>(slash, 1)), path);
  }
  std::map<std::string, std::string> env = {
      {"PATH", path},
      {"HOME", home.empty() ? FromEnvironment("HOME", "/") : home},
      {"LANG", "C.UTF-8"},
      {"TMPDIR", FromEnvironment("TMPDIR", "/tmp")}};
  for (const auto& [name, value] : config.env) env[name] = value;
  ChildPlan plan{.command = config.command,
                 .args = config.args,
                 .cwd = config.cwd.empty() ? home : config.cwd};
  for (const auto& [name, value] : env) plan.env.push_back(name + "=" + value);
  return plan;
}

}  // namespace talon::plugins::mcp
