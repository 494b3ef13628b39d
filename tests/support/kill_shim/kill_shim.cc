// SPDX-License-Identifier: Apache-2.0
// A library for LD_PRELOAD that kills a program at its n-th write to a database. It counts the
// calls write, pwrite, pwrite64, fsync and fdatasync on files whose path ends in ".db" or "-wal".
// Any thread; in every program but the named one it does nothing.
//
//   TALON_KILL_PROGRAM     the name (of /proc/self/comm, or of the executable) it acts in
//   TALON_KILL_AT          the call to die at, from 1; unset or 0 = only count
//   TALON_KILL_WHEN        before (default) or after the call, or torn: half of the bytes are
//   written TALON_KILL_COUNT_FILE  holds the number of calls so far, 20 decimal digits and a
//   newline
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr std::size_t kDigits = 20;
constexpr std::size_t kCachedFds = 4096;

using WriteCall = ssize_t (*)(int, const void*, size_t);
using PwriteCall = ssize_t (*)(int, const void*, size_t, off64_t);
using FdCall = int (*)(int);

template <class Call>
Call Real(const char* name) {
  return reinterpret_cast<Call>(dlsym(RTLD_NEXT, name));
}

enum class When { kBefore, kAfter, kTorn };

struct Plan {
  bool active = false;
  unsigned long kill_at = 0;
  When when = When::kBefore;
  char* count_text = nullptr;  // mapped; null = nobody asked
};

std::string_view ReadInto(std::array<char, 64>& buffer, const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t count = read(fd, buffer.data(), buffer.size());
  close(fd);
  std::string_view text(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

bool IsNamed(std::string_view name) {
  constexpr std::size_t kCommMax = 15;
  std::array<char, 64> comm{};
  if (ReadInto(comm, "/proc/self/comm") == name.substr(0, kCommMax)) return true;
  std::array<char, PATH_MAX> exe{};
  const ssize_t count = readlink("/proc/self/exe", exe.data(), exe.size());
  if (count <= 0) return false;
  const std::string_view path(exe.data(), static_cast<std::size_t>(count));
  return path.substr(path.rfind('/') + 1) == name;
}

char* MapCount(const char* path) {
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return nullptr;
  void* map = MAP_FAILED;
  if (ftruncate(fd, kDigits + 1) == 0) {
    map = mmap(nullptr, kDigits + 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (map == MAP_FAILED) return nullptr;
  char* text = static_cast<char*>(map);
  std::memset(text, '0', kDigits);
  text[kDigits] = '\n';
  return text;
}

Plan MakePlan() {
  Plan plan;
  const char* program = std::getenv("TALON_KILL_PROGRAM");
  if (program == nullptr || !IsNamed(program)) return plan;
  plan.active = true;
  if (const char* at = std::getenv("TALON_KILL_AT")) plan.kill_at = std::strtoul(at, nullptr, 10);
  if (const char* when = std::getenv("TALON_KILL_WHEN")) {
    if (std::string_view(when) == "after") plan.when = When::kAfter;
    if (std::string_view(when) == "torn") plan.when = When::kTorn;
  }
  if (const char* file = std::getenv("TALON_KILL_COUNT_FILE")) plan.count_text = MapCount(file);
  return plan;
}

const Plan& ThePlan() {
  static const Plan plan = MakePlan();
  return plan;
}

// A file is known by its inode as well, since a descriptor can be closed behind our back.
struct CachedFd {
  std::atomic<ino_t> inode{0};
  std::atomic<bool> counts{false};
};
std::array<CachedFd, kCachedFds> cached_fds;

bool IsDatabase(int fd) {
  struct stat info{};
  if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  CachedFd* cached = static_cast<std::size_t>(fd) < kCachedFds ? &cached_fds[fd] : nullptr;
  if (cached != nullptr && cached->inode == info.st_ino) return cached->counts;
  std::array<char, 64> link{};
  constexpr std::string_view kFolder = "/proc/self/fd/";
  std::memcpy(link.data(), kFolder.data(), kFolder.size());
  std::size_t end = kFolder.size() + 1;
  for (int rest = fd; rest >= 10; rest /= 10) ++end;
  for (std::size_t i = end, rest = static_cast<std::size_t>(fd); i-- > kFolder.size(); rest /= 10) {
    link[i] = static_cast<char>('0' + rest % 10);
  }
  std::array<char, PATH_MAX> target{};
  const ssize_t count = readlink(link.data(), target.data(), target.size());
  const std::string_view path(target.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  const bool counts = path.ends_with(".db") || path.ends_with("-wal");
  if (cached != nullptr) {
    cached->counts = counts;
    cached->inode = info.st_ino;
  }
  return counts;
}

void Forget(int fd) {
  if (fd >= 0 && static_cast<std::size_t>(fd) < kCachedFds) cached_fds[fd].inode = 0;
}

std::atomic<unsigned long> calls{0};

[[noreturn]] void Die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

// The number of this call, or 0 when the call is none of ours.
unsigned long Count(int fd) {
  const Plan& plan = ThePlan();
  if (!plan.active || !IsDatabase(fd)) return 0;
  const unsigned long number = ++calls;
  if (plan.count_text != nullptr) {
    for (std::size_t i = kDigits, rest = number; i-- > 0; rest /= 10) {
      plan.count_text[i] = static_cast<char>('0' + rest % 10);
    }
  }
  return number;
}

// `write_some(size)` writes that many of the `size` bytes.
template <class WriteSome>
ssize_t CountedWrite(int fd, size_t size, WriteSome write_some) {
  const unsigned long number = Count(fd);
  const Plan& plan = ThePlan();
  if (number == 0 || number != plan.kill_at) return write_some(size);
  if (plan.when == When::kTorn) write_some(size / 2);
  if (plan.when == When::kAfter) write_some(size);
  Die();
}

int CountedSync(int fd, FdCall real) {
  const unsigned long number = Count(fd);
  const Plan& plan = ThePlan();
  if (number == 0 || number != plan.kill_at) return real(fd);
  if (plan.when == When::kAfter) real(fd);
  Die();
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static const auto real = Real<WriteCall>("write");
  return CountedWrite(fd, size, [&](size_t count) { return real(fd, data, count); });
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  static const auto real = Real<PwriteCall>("pwrite64");
  return CountedWrite(fd, size, [&](size_t count) { return real(fd, data, count, offset); });
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static const auto real = Real<PwriteCall>("pwrite64");
  return CountedWrite(fd, size, [&](size_t count) { return real(fd, data, count, offset); });
}

int fsync(int fd) {
  static const auto real = Real<FdCall>("fsync");
  return CountedSync(fd, real);
}

int fdatasync(int fd) {
  static const auto real = Real<FdCall>("fdatasync");
  return CountedSync(fd, real);
}

int close(int fd) {
  static const auto real = Real<FdCall>("close");
  Forget(fd);
  return real(fd);
}

}  // extern "C"
