// SPDX-License-Identifier: Apache-2.0
#include "plugin/launch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "base/digest.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "plugin/scratch.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolderPrefix = "p-";
constexpr std::string_view kRecordSuffix = ".pid";
// A name nobody guesses: without a view of their own plugins could reach each other's sockets.
constexpr std::size_t kFolderRandomBytes = 10;
// OpenTalon's plugins make `opentalon-plugin-<10 digits>/plugin.sock`, go-plugin names of 17 bytes.
constexpr std::size_t kSocketNameRoom = 40;
constexpr std::size_t kLongestFolder = sizeof(sockaddr_un::sun_path) - 1 - kSocketNameRoom;
constexpr std::size_t kMaxRecord = 64;

bool IsEnvironmentName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Clock ticks from boot to the process's start: with its number they name it for ever.
std::optional<std::string> StartTimeOf(pid_t pid) {
  // The kernel reports no size for this file.
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string stat;
  if (!std::getline(file, stat)) return std::nullopt;
  // Fields after the name, which ends at the last ')': state is the 3rd, start time the 22nd.
  std::size_t at = stat.rfind(')');
  for (int field = 3; field <= 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = at + 1;
  return stat.substr(begin, stat.find(' ', begin) - begin);
}

void EndRecorded(const std::string& record) {
  const auto text = ReadFile(record, kMaxRecord);
  if (!text.ok()) return;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
  if (error != std::errc() || pid <= 1) return;
  const auto start = StartTimeOf(pid);
  if (start && std::string_view(end) == " " + *start) ::kill(-pid, SIGKILL);
}

absl::Status CheckVariable(std::string_view name, std::string_view value) {
  const bool ours = name == "TMPDIR" || name == kCookieName || name == kCallerKeyName ||
                    name.starts_with("PLUGIN_");
  if (!ours && IsEnvironmentName(name) && value.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return InvalidArgument(fmt::format("'{}' {}", TruncateUtf8(RepairUtf8(name), 80),
                                     ours ? "is set by the daemon" : "cannot be set"));
}

}  // namespace

absl::Status CheckEnvironment(const std::map<std::string, Secret>& env) {
  for (const auto& [name, value] : env) {
    if (absl::Status status = CheckVariable(name, value.Reveal()); !status.ok()) {
      return Annotate(status, "env");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCookie(const std::map<std::string, std::string>& cookie) {
  for (const auto& [name, value] : cookie) {
    if (absl::Status status = CheckVariable(name, value); !status.ok()) {
      return Annotate(status, "cookie");
    }
  }
  return absl::OkStatus();
}

Offer MakeOffer(const LaunchSpec& spec) {
  Offer offer;
  if (!spec.protocol_versions.empty()) offer.versions = spec.protocol_versions;
  offer.tls = spec.mtls == Mtls::kRequired;
  offer.plain_tcp = spec.mtls == Mtls::kOff;
  return offer;
}

io::SpawnOptions MakeSpawnOptions(const LaunchSpec& spec, const std::string& socket_directory,
                                  const std::string& certificate) {
  std::map<std::string, std::string> env = {
      {"PATH", kPluginPath}, {"HOME", spec.data_directory}, {"LANG", "C.UTF-8"}};
  for (const auto& [name, value] : spec.env) env[name] = value.Reveal();
  env["TMPDIR"] = socket_directory;
  env["PLUGIN_UNIX_SOCKET_DIR"] = socket_directory;
  env["PLUGIN_PROTOCOL_VERSIONS"] = fmt::format("{}", fmt::join(MakeOffer(spec).versions, ","));
  if (!certificate.empty()) env["PLUGIN_CLIENT_CERT"] = certificate;
  env[kCookieName] = kCookieValue;
  if (!spec.caller_key.empty()) env[kCallerKeyName] = spec.caller_key;
  if (spec.socket) env[spec.socket->variable] = socket_directory;
  for (const auto& [name, value] : spec.cookie) env[name] = value;
  io::SpawnOptions options;
  // Without symlinks: a sandbox shows the program where it stands.
  options.program = spec.file != nullptr ? spec.file->path() : spec.program;
  if (spec.file != nullptr && spec.file->runs_by_descriptor()) {
    options.program_fd = spec.file->fd();
  }
  options.args = spec.args;
  options.directory = spec.data_directory;
  for (const auto& [name, value] : env) options.env.push_back(name + "=" + value);
  return options;
}

absl::StatusOr<std::string> MakeDirectoriesFor(const LaunchSpec& spec) {
  TALON_RETURN_IF_ERROR(MakeDirectories(spec.data_directory));
  TALON_RETURN_IF_ERROR(MakeDirectories(spec.run_directory));
  std::string folder =
      fmt::format("{}/{}{}", spec.run_directory, kFolderPrefix, RandomHex(kFolderRandomBytes));
  if (folder.size() > kLongestFolder) {
    return InvalidArgument(
        fmt::format("make socket folder '{}': the path is longer than {} bytes; "
                    "choose a shorter home",
                    folder, kLongestFolder));
  }
  TALON_RETURN_IF_ERROR(MakeDirectories(folder));
  return folder;
}

std::size_t LongestRunDirectory() {
  return kLongestFolder - 1 - kFolderPrefix.size() - 2 * kFolderRandomBytes;
}

void RecordOwner(const std::string& socket_directory, pid_t pid) {
  const auto start = StartTimeOf(pid);
  if (!start) return;
  std::ofstream(socket_directory + std::string(kRecordSuffix)) << pid << ' ' << *start;
}

void RemoveSocketDirectory(const std::string& socket_directory) {
  std::error_code ignored;
  RemoveTree(socket_directory);
  fs::remove(socket_directory + std::string(kRecordSuffix), ignored);
}

std::size_t RemoveLeftovers(const std::string& run_directory) {
  std::error_code ignored;
  std::vector<std::string> folders;
  for (fs::directory_iterator it(run_directory, ignored), end; it != end; it.increment(ignored)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(kFolderPrefix) && !name.ends_with(kRecordSuffix)) {
      folders.push_back(it->path().string());
    }
  }
  for (const std::string& folder : folders) {
    EndRecorded(folder + std::string(kRecordSuffix));
    RemoveSocketDirectory(folder);
  }
  return folders.size();
}

}  // namespace talon::plugin
