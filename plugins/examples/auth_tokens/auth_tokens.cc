// SPDX-License-Identifier: Apache-2.0
#include "examples/auth_tokens/auth_tokens.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "examples/auth_tokens/sha256.h"

namespace talon::examples {
namespace {

bool IsDigest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Changes whenever the file does.
absl::StatusOr<std::string> StampOf(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::UnavailableError(fmt::format("tokens '{}': {}", path, std::strerror(errno)));
  }
  if ((info.st_mode & 022) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("tokens '{}': others may write it; chmod go-w", path));
  }
  return fmt::format("{}.{}.{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace

AuthTokens::AuthTokens()
    : Plugin({.name = "auth_tokens",
              .version = "1.0.0",
              .description = "Knows people by tokens from a file of digests.",
              .config =
                  sdk::Object()
                      .Optional("file", sdk::String("file of digests; default: `tokens` in "
                                                    "the plugin's data folder"))
                      .Optional("ttl_s",
                                sdk::Integer("seconds an answer is remembered").Min(0).Max(300))}) {
}

absl::Status AuthTokens::Configure(const sdk::Args& config, const sdk::Folders& folders) {
  path_ = config.String("file", folders.data + "/tokens");
  ttl_ = std::chrono::seconds(config.Int("ttl_s", 30));
  const std::lock_guard lock(mutex_);
  return Refresh();
}

absl::Status AuthTokens::Refresh() {
  const absl::StatusOr<std::string> stamp = StampOf(path_);
  if (!stamp.ok()) return stamp.status();
  if (*stamp == stamp_) return absl::OkStatus();
  std::map<std::string, sdk::Identity> people;
  std::ifstream file(path_);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::istringstream words(line.substr(0, line.find('#')));
    std::string digest;
    sdk::Identity identity;
    if (!(words >> digest)) continue;
    words >> identity.user >> identity.tenant;
    for (std::string scope; words >> scope;) identity.scopes.push_back(scope);
    if (!IsDigest(digest) || identity.user.empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "tokens '{}', line {}: expected '<sha256> <user> [<tenant> [<scope>…]]'", path_, number));
    }
    identity.ttl = ttl_;
    people[digest] = std::move(identity);
  }
  if (file.bad()) return absl::UnavailableError(fmt::format("tokens '{}': read failed", path_));
  people_ = std::move(people);
  stamp_ = *stamp;
  return absl::OkStatus();
}

absl::StatusOr<sdk::Identity> AuthTokens::Authenticate(const sdk::Credential& credential,
                                                       const sdk::CallInfo&) {
  // A search by digest tells nothing of the token by its time.
  const std::string digest = Sha256Hex(credential.secret);
  const std::lock_guard lock(mutex_);
  if (absl::Status status = Refresh(); !status.ok()) return status;
  const auto found = people_.find(digest);
  if (found == people_.end()) return absl::UnauthenticatedError("no such token");
  return found->second;
}

}  // namespace talon::examples
