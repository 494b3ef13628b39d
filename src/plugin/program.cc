// SPDX-License-Identifier: Apache-2.0
#include "plugin/program.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/status.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMostKnown = 256;          // files; each costs about 150 bytes
constexpr std::size_t kReadBytes = 128 << 10;    // at a time
constexpr int kMostLinks = 40;                   // on the way to a file, as in the kernel
constexpr std::size_t kLongestMemoryName = 200;  // bytes of a file in memory; the kernel takes 249
constexpr unsigned kMemfdExec = 0x10;            // MFD_EXEC, which kernels before 6.3 do not know
constexpr std::int64_t kSecond = 1'000'000'000;
// A change within the clock's last step may leave the stamp as it was: such a file is read again.
constexpr std::int64_t kClockStep = 20'000'000;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (ok()) ::close(fd_);
  }
  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

FileStamp StampOf(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size = info.st_size,
          .modified_ns = Nanoseconds(info.st_mtim),
          .changed_ns = Nanoseconds(info.st_ctim)};
}

bool JustChanged(const FileStamp& stamp) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return Nanoseconds(now) - stamp.changed_ns < kClockStep;
}

bool OthersMayWrite(const struct stat& info) {
  if (S_ISLNK(info.st_mode)) return false;  // nobody can; its mode says nothing
  if ((info.st_mode & S_ISVTX) != 0 && S_ISDIR(info.st_mode)) return false;
  if ((info.st_mode & S_IWOTH) != 0) return true;
  return (info.st_mode & S_IWGRP) != 0 && info.st_gid != info.st_uid;
}

absl::Status CheckOwner(const std::string& path, const struct stat& info) {
  const uid_t own = ::geteuid();
  if (info.st_uid != 0 && info.st_uid != own) {
    return PermissionDenied(fmt::format(
        "'{}' belongs to user {}; a plugin and the folders above it must belong to root "
        "or to the daemon's user {}: chown {} '{}'",
        path, info.st_uid, own, own, path));
  }
  if (OthersMayWrite(info)) {
    return PermissionDenied(
        fmt::format("'{}' (mode {:04o}, group {}) can be written by others, who could put another "
                    "plugin there: "
                    "chmod go-w '{}'",
                    path, info.st_mode & 07777U, info.st_gid, path));
  }
  return absl::OkStatus();
}

// The parts of a path, the first one last.
using Parts = std::vector<std::filesystem::path>;

void AddParts(Parts& parts, const std::filesystem::path& path) {
  Parts more(path.begin(), path.end());
  parts.insert(parts.end(), more.rbegin(), more.rend());
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoToStatus(errno, fmt::format("copy '{}' into memory", path));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

// SHA-256 of what `fd` holds, all of which goes to `copy` as well, when that is not -1.
absl::StatusOr<std::string> ReadDigest(int fd, const std::string& path, int copy = -1) {
  Sha256 digest;
  std::vector<char> buffer(kReadBytes);
  off_t at = 0;
  while (true) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoToStatus(errno, fmt::format("read '{}'", path));
    if (count == 0) return digest.Hex();
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    digest.Update(bytes);
    if (copy >= 0) TALON_RETURN_IF_ERROR(WriteAll(copy, bytes, path));
    at += count;
  }
}

absl::StatusOr<Descriptor> OpenMemory(const std::string& path) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const std::string name =
      std::filesystem::path(path).filename().string().substr(0, kLongestMemoryName);
  Descriptor file(::memfd_create(name.c_str(), kFlags | kMemfdExec));
  if (!file.ok() && errno == EINVAL) file = Descriptor(::memfd_create(name.c_str(), kFlags));
  if (file.ok()) return file;
  if (errno == EACCES) {
    return PermissionDenied(
        fmt::format("copy '{}' into memory: this system lets no memory be executed; set "
                    "vm.memfd_noexec to 1, let root own the program, or set `sealed: false`",
                    path));
  }
  return ErrnoToStatus(errno, fmt::format("copy '{}' into memory", path));
}

}  // namespace

absl::StatusOr<std::string> ResolveOwned(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return ErrnoToStatus(error.value(), fmt::format("find '{}'", path));
  Parts ahead;
  AddParts(ahead, absolute);
  std::filesystem::path reached;
  for (int links = 0; !ahead.empty();) {
    const std::filesystem::path part = std::move(ahead.back());
    ahead.pop_back();
    if (part == "..") reached = reached.parent_path();
    if (part.empty() || part == "." || part == "..") continue;
    const std::filesystem::path next = reached / part;
    struct stat info{};
    if (::lstat(next.c_str(), &info) != 0) {
      return ErrnoToStatus(errno, fmt::format("find '{}'", path));
    }
    TALON_RETURN_IF_ERROR(CheckOwner(next.string(), info));
    if (!S_ISLNK(info.st_mode)) {
      reached = next;
      continue;
    }
    if (++links > kMostLinks) return ErrnoToStatus(ELOOP, fmt::format("find '{}'", path));
    const std::filesystem::path target = std::filesystem::read_symlink(next, error);
    if (error) return ErrnoToStatus(error.value(), fmt::format("find '{}'", path));
    AddParts(ahead, target);
    if (target.is_absolute()) reached.clear();
  }
  return reached.string();
}

absl::StatusOr<std::string> DigestCache::Of(int fd, const std::string& path) {
  struct stat before{};
  if (::fstat(fd, &before) != 0) return ErrnoToStatus(errno, fmt::format("examine '{}'", path));
  const FileStamp stamp = StampOf(before);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(stamp); found != known_.end()) return found->second;
  }
  TALON_ASSIGN_OR_RETURN(std::string digest, ReadDigest(fd, path));
  struct stat after{};
  if (::fstat(fd, &after) != 0 || StampOf(after) != stamp) {
    return absl::AbortedError(fmt::format("read '{}': it changed meanwhile; try again", path));
  }
  if (JustChanged(stamp)) return digest;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMostKnown) known_.clear();
  known_.emplace(stamp, digest);
  return digest;
}

Program::Program(std::string path, int fd, const struct stat& info, bool elf)
    : path_(std::move(path)), fd_(fd), stamp_(StampOf(info)), owner_(info.st_uid), elf_(elf) {}

Program::~Program() {
  ::close(fd_);
}

absl::StatusOr<std::shared_ptr<const Program>> Program::Open(const std::string& path) {
  TALON_ASSIGN_OR_RETURN(std::string resolved, ResolveOwned(path));
  // Not a pipe or device, which opening could block on or set off.
  const int fd = ::open(resolved.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return ErrnoToStatus(errno, fmt::format("open '{}'", resolved));
  struct stat info{};
  char magic[SELFMAG] = {};
  const bool examined = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  const bool elf = examined && ::pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
                   std::string_view(magic, sizeof(magic)) == std::string_view(ELFMAG, SELFMAG);
  std::shared_ptr<const Program> program(new Program(std::move(resolved), fd, info, elf));
  if (!examined) {
    return InvalidArgument(fmt::format("'{}' is not a regular file", program->path()));
  }
  // Of the file that was opened, whatever the name meant a moment ago.
  TALON_RETURN_IF_ERROR(CheckOwner(program->path(), info));
  return program;
}

Program::Program(const Program& original, int copy, std::string sha256)
    : path_(original.path_),
      fd_(copy),
      stamp_(original.stamp_),
      owner_(original.owner_),
      elf_(original.elf_),
      sealed_sha256_(std::move(sha256)) {}

absl::StatusOr<std::shared_ptr<const Program>> Program::SealedCopy() const {
  TALON_ASSIGN_OR_RETURN(const Descriptor file, OpenMemory(path_));
  TALON_ASSIGN_OR_RETURN(std::string digest, ReadDigest(fd_, path_, file.get()));
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  // What is executed must be open to nobody's writing, sealed or not.
  Descriptor readable;
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) == 0) {
    const std::string again = fmt::format("/proc/self/fd/{}", file.get());
    readable = Descriptor(::open(again.c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!readable.ok()) return ErrnoToStatus(errno, fmt::format("seal the copy of '{}'", path_));
  return std::shared_ptr<const Program>(new Program(*this, readable.Release(), std::move(digest)));
}

absl::StatusOr<std::string> Program::Sha256(DigestCache& digests) const {
  if (!sealed_sha256_.empty()) return sealed_sha256_;
  return digests.Of(fd_, path_);
}

bool Program::Unchanged() const {
  if (!sealed_sha256_.empty()) return true;
  struct stat info{};
  // Of a script what stands under its name counts: its interpreter opens that.
  const int failed = elf_ ? ::fstat(fd_, &info) : ::stat(path_.c_str(), &info);
  return failed == 0 && StampOf(info) == stamp_;
}

}  // namespace talon::plugin
