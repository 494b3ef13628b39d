// SPDX-License-Identifier: Apache-2.0
#include "examples/storage_files/storage_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace talon::examples {
namespace {

constexpr std::size_t kLongestName = 255;  // of a file
constexpr std::string_view kHalf = "~";    // begins the name of a file that is being written

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// A file's name for any text: no '/', no leading '.', no '~'.
std::string Encode(std::string_view text) {
  std::string name;
  for (const char c : text) {
    if (IsPlain(c)) {
      name += c;
    } else {
      name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return name;
}

std::string Decode(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%' && i + 2 < name.size()) {
      text += static_cast<char>(std::stoi(std::string(name.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      text += name[i];
    }
  }
  return text;
}

absl::Status Failed(std::string_view what, int error) {
  const std::string text = fmt::format("{}: {}", what, std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::string VersionOf(const struct stat& info) {
  return fmt::format("{:x}-{:x}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec + info.st_ino % 1000);
}

// "none" when there is no such file.
absl::StatusOr<std::string> CurrentVersion(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0) return VersionOf(info);
  if (errno == ENOENT) return "none";
  return Failed("version", errno);
}

absl::Status WriteWhole(const std::string& path, std::string_view value) {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.fd() < 0) return Failed("write", errno);
  while (!value.empty()) {
    const ssize_t n = write(file.fd(), value.data(), value.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("write", errno);
    value.remove_prefix(static_cast<std::size_t>(n));
  }
  return fsync(file.fd()) == 0 ? absl::OkStatus() : Failed("sync", errno);
}

}  // namespace

StorageFiles::StorageFiles()
    : Plugin({.name = "storage_files",
              .version = "1.0.0",
              .description = "Keeps each value in a file.",
              .config = sdk::Object().Optional(
                  "folder", sdk::String("default: `values` in the plugin's data folder"))}),
      Storage({.max_value_bytes = 0, .compare_and_set = true, .ttl = false}) {}

absl::Status StorageFiles::Configure(const sdk::Args& config, const sdk::Folders& folders) {
  folder_ = config.String("folder", folders.data + "/values");
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error)
    return absl::FailedPreconditionError(fmt::format("'{}': {}", folder_, error.message()));
  return absl::OkStatus();
}

absl::StatusOr<std::string> StorageFiles::PathOf(const std::string& space,
                                                 const std::string& key) const {
  const std::string name = Encode(key);
  const std::string folder = Encode(space);
  if (name.empty() || folder.empty() || name.size() > kLongestName ||
      folder.size() > kLongestName) {
    return absl::InvalidArgumentError(fmt::format(
        "key: its file name would have {} bytes; at most {}", name.size(), kLongestName));
  }
  return fmt::format("{}/{}/{}", folder_, folder, name);
}

absl::StatusOr<sdk::StoredValue> StorageFiles::Get(const std::string& space, const std::string& key,
                                                   const sdk::CallInfo&) {
  const absl::StatusOr<std::string> path = PathOf(space, key);
  if (!path.ok()) return path.status();
  const File file(*path, O_RDONLY);
  if (file.fd() < 0) return Failed("get", errno);
  struct stat info = {};
  if (fstat(file.fd(), &info) != 0) return Failed("get", errno);
  sdk::StoredValue stored;
  stored.value.resize(static_cast<std::size_t>(info.st_size));
  std::size_t have = 0;
  while (have < stored.value.size()) {
    const ssize_t n = read(file.fd(), stored.value.data() + have, stored.value.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Failed("get", n < 0 ? errno : EIO);
    have += static_cast<std::size_t>(n);
  }
  stored.version = VersionOf(info);
  stored.updated_at = std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec);
  return stored;
}

absl::StatusOr<std::string> StorageFiles::Put(const std::string& space, const std::string& key,
                                              const std::string& value,
                                              const sdk::PutOptions& options,
                                              const sdk::CallInfo&) {
  const absl::StatusOr<std::string> path = PathOf(space, key);
  if (!path.ok()) return path.status();
  const std::lock_guard lock(writing_);
  const std::filesystem::path folder = std::filesystem::path(*path).parent_path();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::InternalError(fmt::format("put: {}", error.message()));
  if (!options.if_version.empty()) {
    const absl::StatusOr<std::string> now = CurrentVersion(*path);
    if (!now.ok()) return now.status();
    if (*now != options.if_version) {
      return absl::AbortedError(fmt::format("the version is '{}'", *now));
    }
  }
  const std::string half = fmt::format("{}/{}half", folder.string(), kHalf);
  if (absl::Status written = WriteWhole(half, value); !written.ok()) return written;
  if (rename(half.c_str(), path->c_str()) != 0) return Failed("put", errno);
  const File parent(folder.string(), O_RDONLY | O_DIRECTORY);
  if (parent.fd() < 0 || fsync(parent.fd()) != 0) return Failed("put", errno);
  return CurrentVersion(*path);
}

absl::StatusOr<bool> StorageFiles::Delete(const std::string& space, const std::string& key,
                                          const sdk::CallInfo&) {
  const absl::StatusOr<std::string> path = PathOf(space, key);
  if (!path.ok()) return path.status();
  const std::lock_guard lock(writing_);
  if (unlink(path->c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return Failed("delete", errno);
}

absl::StatusOr<sdk::KeyList> StorageFiles::List(const std::string& space, const std::string& prefix,
                                                const std::string& after, std::size_t limit,
                                                const sdk::CallInfo&) {
  sdk::KeyList list;
  std::error_code error;
  const std::string folder = fmt::format("{}/{}", folder_, Encode(space));
  for (const auto& item : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with(kHalf)) continue;
    std::string key = Decode(name);
    if (key.starts_with(prefix) && (after.empty() || key > after)) {
      list.keys.push_back(std::move(key));
    }
  }
  std::sort(list.keys.begin(), list.keys.end());
  list.more = list.keys.size() > limit;
  if (list.more) list.keys.resize(limit);
  return list;
}

}  // namespace talon::examples
