// SPDX-License-Identifier: Apache-2.0
// A plugin's program as a file that may be run: whose it is, who could change it, what it holds.
// What is checked here is what runs: the file is opened once, and an ELF program is executed by
// that descriptor, or from a sealed copy in memory (docs/adr/0006). Everything blocks; run it on a
// worker. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct stat;

namespace talon::plugin {

// Names a file's content as long as nobody can set the clock back: any change gives it another.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t size = 0, modified_ns = 0, changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
  auto Key() const { return std::tie(device, inode, size, modified_ns, changed_ns); }
  bool operator<(const FileStamp& other) const { return Key() < other.Key(); }
};

// SHA-256 of files already seen, so that a large program is read once and not at every start.
class DigestCache {
 public:
  // 64 hex characters of the whole content of `fd`; Aborted when it changes meanwhile. `path` is
  // for errors.
  absl::StatusOr<std::string> Of(int fd, const std::string& path);

 private:
  std::mutex mutex_;
  std::map<FileStamp, std::string> known_;  // guarded by mutex_, at most kMostKnown
};

class Program {
 public:
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Resolves `path` as ResolveOwned() does, checks that it is a regular file, and opens it. Errors
  // name the file and the cure.
  static absl::StatusOr<std::shared_ptr<const Program>> Open(const std::string& path);

  // Whether its owner could rewrite it between check and start, which no check of owners prevents:
  // an ELF program that is not root's.
  bool can_be_rewritten() const { return elf_ && owner_ != 0; }
  // The same program, to be executed from a copy of its content in memory that nobody can change
  // any more, also not this process. Its size in memory as long as the copy or a process of it
  // lives.
  absl::StatusOr<std::shared_ptr<const Program>> SealedCopy() const;

  const std::string& path() const { return path_; }  // without symlinks; of a copy the original's
  int fd() const { return fd_; }
  uid_t owner() const { return owner_; }
  // False for a script: its interpreter opens it again by its path.
  bool runs_by_descriptor() const { return elf_; }
  // Whether the file is still the one that was opened, unchanged. False when it cannot be told.
  // What is sealed cannot change.
  bool Unchanged() const;
  absl::StatusOr<std::string> Sha256(DigestCache& digests) const;

 private:
  Program(std::string path, int fd, const struct stat& info, bool elf);
  Program(const Program& original, int copy, std::string sha256);
  const std::string path_;
  const int fd_;
  const FileStamp stamp_;
  const uid_t owner_;
  const bool elf_;
  const std::string sealed_sha256_;  // empty: not sealed
};

// `path`, made absolute, without symlinks. It, every folder and every link on the way there must
// belong to root or the daemon's user, and nobody else may write there: not others, and not a group
// but the owner's own (the one with the owner's number). A folder with the sticky bit, like /tmp,
// may be open to writing: what is in it can be replaced only by its owner, who is checked as well.
absl::StatusOr<std::string> ResolveOwned(const std::string& path);

}  // namespace talon::plugin
