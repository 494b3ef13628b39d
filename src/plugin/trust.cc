// SPDX-License-Identifier: Apache-2.0
#include "plugin/trust.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxLock = 1u << 20;
constexpr long kVersion = 1;
constexpr std::size_t kShownDigest = 12;  // of 64 characters, for people

absl::Status Untrusted(const std::string& text) {
  return MakeError(absl::StatusCode::kPermissionDenied, ErrorReason::kDenied, text);
}

absl::Status CannotRead(const std::string& path, std::string_view why) {
  return PermissionDenied(
      fmt::format("lock file '{}': {}; no plugin that needs it is trusted. Repair it, or remove it "
                  "and run `talon plugins trust` again",
                  path, why));
}

std::vector<std::string> StringsOf(const Json& object, std::string_view key) {
  std::vector<std::string> strings;
  if (const Json* list = JsonFind(object, key); list != nullptr && list->is_array()) {
    for (const Json& each : *list) {
      if (each.is_string()) strings.push_back(each.get<std::string>());
    }
  }
  return strings;
}

// Only a name was given, and nothing has it: says where it was looked for.
absl::Status NoneBundled(const std::filesystem::path& program) {
  const std::filesystem::path folder = program.parent_path().parent_path();
  return NotFound(fmt::format(
      "there is no '{}' in '{}', and no such example in '{}'; where it stands elsewhere give its "
      "path as `plugin:`",
      program.filename().string(), folder.lexically_normal().string(),
      (folder / "../examples").lexically_normal().string()));
}

}  // namespace

std::string_view OriginName(Origin origin) {
  switch (origin) {
    case Origin::kBundled:
      return "bundled";
    case Origin::kFolder:
      return "folder";
    case Origin::kConfigured:
      return "configured";
  }
  return "unknown";
}

absl::StatusOr<Evidence> Examine(const std::string& path, Origin origin, DigestCache& digests,
                                 std::size_t max_manifest, Purpose purpose) {
  Evidence evidence;
  evidence.named = path;
  auto opened = Program::Open(path);
  if (absl::IsNotFound(opened.status()) && origin == Origin::kBundled) return NoneBundled(path);
  TALON_ASSIGN_OR_RETURN(evidence.program, std::move(opened));
  if (origin != Origin::kBundled) {
    if (purpose == Purpose::kStart && evidence.program->can_be_rewritten()) {
      TALON_ASSIGN_OR_RETURN(evidence.program, evidence.program->SealedCopy());
    }
    TALON_ASSIGN_OR_RETURN(evidence.sha256, evidence.program->Sha256(digests));
  }
  const std::filesystem::path beside = std::filesystem::path(path).parent_path() / "manifest.json";
  std::error_code unknown;
  if (!std::filesystem::exists(beside, unknown)) return evidence;
  TALON_ASSIGN_OR_RETURN(const std::string resolved, ResolveOwned(beside.string()));
  TALON_ASSIGN_OR_RETURN(evidence.manifest, ReadFile(resolved, max_manifest));
  evidence.manifest_sha256 = Sha256Hex(*evidence.manifest);
  return evidence;
}

absl::StatusOr<TrustBook> TrustBook::Read(const std::string& path) {
  TrustBook book;
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return book;
    return CannotRead(path, ::strerror(errno));
  }
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return CannotRead(path, "it is not a file of the daemon's user alone (chmod 600)");
  }
  const auto text = ReadFile(path, kMaxLock);
  if (!text.ok()) return CannotRead(path, Message(text.status()));
  const auto json = ParseJson(*text, "content");
  if (!json.ok()) return CannotRead(path, Message(json.status()));
  const Json* plugins = JsonFind(*json, "plugins");
  if (JsonInt(*json, "version") != kVersion || plugins == nullptr || !plugins->is_object()) {
    return CannotRead(path, fmt::format("it is not of version {}", kVersion));
  }
  for (const auto& [name, each] : plugins->items()) {
    book.records_[name] = {.path = JsonString(each, "path"),
                           .named = JsonString(each, "named"),
                           .sha256 = JsonString(each, "sha256"),
                           .manifest_sha256 = JsonString(each, "manifest_sha256"),
                           .declared_sha256 = JsonString(each, "declared_sha256"),
                           .args = StringsOf(each, "args"),
                           .protocol = static_cast<int>(JsonInt(each, "protocol")),
                           .when = JsonString(each, "when")};
  }
  return book;
}

TrustBook TrustBook::Unreadable(absl::Status why) {
  TrustBook book;
  book.problem_ = std::move(why);
  return book;
}

std::string TrustBook::Text() const {
  Json plugins = Json::object();
  for (const auto& [name, record] : records_) {
    plugins[name] = {{"path", record.path},
                     {"named", record.named},
                     {"sha256", record.sha256},
                     {"manifest_sha256", record.manifest_sha256},
                     {"declared_sha256", record.declared_sha256},
                     {"args", record.args},
                     {"protocol", record.protocol},
                     {"when", record.when}};
  }
  constexpr int kIndent = 2;
  return Json({{"version", kVersion}, {"plugins", std::move(plugins)}})
             .dump(kIndent, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

absl::Status TrustBook::Write(const std::string& path, const std::string& text) {
  TALON_RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path().string()));
  return WriteFileAtomic(path, text, 0600);
}

const TrustRecord* TrustBook::Find(const std::string& plugin) const {
  const auto found = records_.find(plugin);
  return found == records_.end() ? nullptr : &found->second;
}

void TrustBook::Put(const std::string& plugin, TrustRecord record) {
  records_[plugin] = std::move(record);
  changed_ = true;
}

bool NamedAnew(const Evidence& evidence, const TrustRecord* record) {
  if (record == nullptr) return true;
  return !record->named.empty() && record->named != evidence.named;
}

absl::Status Judge(const std::string& plugin, Origin origin, const Evidence& evidence,
                   const TrustRecord* record) {
  if (origin == Origin::kBundled) return absl::OkStatus();
  const std::string& path = evidence.program->path();
  const std::string cure = fmt::format("look at it and run `talon plugins trust {}`", plugin);
  // The operator named the path: that is trust in what stands there.
  if (origin == Origin::kConfigured && NamedAnew(evidence, record)) return absl::OkStatus();
  if (record == nullptr || (origin == Origin::kFolder && record->path != path)) {
    return Untrusted(fmt::format("'{}' was found but is not trusted; {}", path, cure));
  }
  if (record->path != path) {
    return Untrusted(
        fmt::format("'{}' has changed since it was trusted: it leads to '{}', and led "
                    "to '{}'; {}",
                    evidence.named, path, record->path, cure));
  }
  if (record->sha256 != evidence.sha256) {
    return Untrusted(fmt::format("'{}' has changed since it was trusted (sha256 {}…, was {}…); {}",
                                 path, evidence.sha256.substr(0, kShownDigest),
                                 record->sha256.substr(0, kShownDigest), cure));
  }
  if (record->manifest_sha256 != evidence.manifest_sha256) {
    return Untrusted(fmt::format(
        "the manifest.json beside '{}' has changed since it was trusted; {}", path, cure));
  }
  return absl::OkStatus();
}

}  // namespace talon::plugin
