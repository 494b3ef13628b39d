// SPDX-License-Identifier: Apache-2.0
#include "daemon/paths.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::daemon {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kShortestToken = 16;

std::string ProgramFolder() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : program.parent_path().string();
}

}  // namespace

absl::StatusOr<Paths> FindPaths(const config::Environment& environment) {
  auto read = [&](const char* name) {
    const char* value = environment(name);
    return std::string(value != nullptr ? value : "");
  };
  Paths paths;
  paths.home = read("TALON_HOME");
  if (paths.home.empty()) {
    const std::string home = read("HOME");
    if (home.empty()) {
      return NotFound("home folder: neither TALON_HOME nor HOME is set; set TALON_HOME");
    }
    paths.home = home + "/.talon";
  }
  std::error_code error;
  const auto absolute = std::filesystem::absolute(paths.home, error);
  if (!error) paths.home = absolute.lexically_normal().string();
  while (paths.home.size() > 1 && paths.home.ends_with('/')) paths.home.pop_back();
  paths.config = read("TALON_CONFIG");
  if (!paths.config.empty()) paths.config_missing = config::Missing::kError;
  if (paths.config.empty()) paths.config = paths.home + "/talon.yaml";
  const auto library = std::filesystem::path(ProgramFolder() + "/../lib/talon").lexically_normal();
  paths.launcher = (library / "talon-launch").string();
  paths.plugins = read("TALON_PLUGIN_DIR");
  if (paths.plugins.empty()) paths.plugins = (library / "plugins").string();
  return paths;
}

absl::Status CheckToken(const Secret& configured) {
  if (configured.empty() || configured.Reveal().size() >= kShortestToken) return absl::OkStatus();
  return InvalidArgument(fmt::format(
      "gateway.token: shorter than {} characters; `openssl rand -hex 32` makes a good one",
      kShortestToken));
}

absl::StatusOr<Secret> ReadOrMakeToken(const Paths& paths, const Secret& configured) {
  TALON_RETURN_IF_ERROR(CheckToken(configured));
  if (!configured.empty()) return configured;
  struct stat info{};
  if (::stat(paths.token().c_str(), &info) == 0) {
    if ((info.st_mode & 077) != 0) {
      return PermissionDenied(
          fmt::format("token file '{}' can be read by others; run: chmod 600 {}", paths.token(),
                      paths.token()));
    }
    TALON_ASSIGN_OR_RETURN(std::string token, ReadFile(paths.token(), 4096));
    token = TrimSpace(token);
    if (token.size() < kShortestToken) {
      return InvalidArgument(fmt::format(
          "token file '{}' holds no usable token; delete it to get a new one", paths.token()));
    }
    return Secret(std::move(token));
  }
  Secret token(RandomHex(kTokenBytes));
  TALON_RETURN_IF_ERROR(WriteFileAtomic(paths.token(), token.Reveal() + "\n", 0600));
  return token;
}

absl::StatusOr<Announcement> ReadAnnouncement(const Paths& paths) {
  TALON_ASSIGN_OR_RETURN(std::string text, ReadFile(paths.announcement(), 4096));
  TALON_ASSIGN_OR_RETURN(Json json, ParseJson(text, paths.announcement()));
  Announcement announcement;
  announcement.pid = JsonInt(json, "pid");
  announcement.bind = JsonString(json, "bind");
  announcement.port = static_cast<std::uint16_t>(JsonInt(json, "port"));
  return announcement;
}

absl::Status WriteAnnouncement(const Paths& paths, const Announcement& announcement) {
  return WriteFileAtomic(paths.announcement(), DumpJson({{"pid", announcement.pid},
                                                         {"bind", announcement.bind},
                                                         {"port", announcement.port}}));
}

}  // namespace talon::daemon
