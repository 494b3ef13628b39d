// SPDX-License-Identifier: Apache-2.0
// Bounded by itself: each takes a little more than it should get and stops there.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "attempts.h"

namespace talon::hostile {
namespace {

constexpr long kMega = 1 << 20;

// Children that only wait, and end after 5 s whatever happens.
std::string Forks(const Facts& facts) {
  const long allowed = Number(facts, "processes");
  const long most = 2 * allowed + 50;
  std::vector<pid_t> children;
  int error = 0;
  while (static_cast<long>(children.size()) < most) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      alarm(5);
      while (true) pause();
    }
    if (child < 0) {
      error = errno;
      break;
    }
    children.push_back(child);
  }
  const auto made = static_cast<long>(children.size());
  for (const pid_t child : children) kill(child, SIGKILL);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  if (made > allowed) return "GOT " + std::to_string(made) + " processes";
  // The limit is there. Now without restraint, each child forking too, for half a second.
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  const pid_t bomb = fork();
  while (bomb == 0 && std::chrono::steady_clock::now() < end) fork();
  if (bomb == 0) _exit(0);
  if (bomb > 0) waitpid(bomb, nullptr, 0);
  return std::to_string(made) + " processes, then " + strerrorname_np(error);
}

// Touches memory in steps up to `most`; answers how much it got.
long Take(int flags, int fd, long most) {
  long taken = 0;
  for (; taken < most; taken += 16 * kMega) {
    void* piece = mmap(nullptr, 16 * kMega, PROT_READ | PROT_WRITE, flags, fd, fd < 0 ? 0 : taken);
    if (piece == MAP_FAILED) break;
    std::memset(piece, 1, 16 * kMega);
  }
  return taken;
}

// In a child, which the kernel may end for it.
std::string TakeInChild(const Facts& facts, int flags, bool file) {
  const long allowed = Number(facts, "memory");
  const long most = allowed + 128 * kMega;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = fork();
  if (child < 0) return std::string("not tried: fork ") + strerrorname_np(errno);
  if (child == 0) {
    alarm(20);
    const int fd = file ? memfd_create("hoard", MFD_CLOEXEC) : -1;
    if (file && ftruncate(fd, most) != 0) _exit(1);
    const long taken = Take(flags, fd, most);
    (void)!write(ends[1], &taken, sizeof(taken));
    _exit(0);
  }
  close(ends[1]);
  long taken = 0;
  const bool told = read(ends[0], &taken, sizeof(taken)) == sizeof(taken);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!told) return WIFSIGNALED(status) ? "ended by the kernel" : "refused by its limit";
  const std::string amount = std::to_string(taken / kMega) + " MB";
  return taken >= most ? "GOT " + amount : amount + " at most";
}

std::string PrivateMemory(const Facts& facts) {
  return TakeInChild(facts, MAP_PRIVATE | MAP_ANONYMOUS, false);
}
std::string SharedMemory(const Facts& facts) {
  return TakeInChild(facts, MAP_SHARED | MAP_ANONYMOUS, false);
}
std::string FileMemory(const Facts& facts) {
  return TakeInChild(facts, MAP_SHARED, true);
}

// Writes until refused, at most twice what is allowed; removes it again.
std::string Fill(const Facts& facts, const std::string& folder) {
  signal(SIGXFSZ, SIG_IGN);
  const long allowed = Number(facts, "file");
  const std::string path = folder + "/fill";
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return std::string("refused: ") + strerrorname_np(errno);
  const std::string block(kMega, 'x');
  long written = 0;
  long size = 0;
  while (written < allowed + 16 * kMega && (size = write(fd, block.data(), block.size())) > 0) {
    written += size;
  }
  const int error = errno;
  close(fd);
  unlink(path.c_str());
  const std::string amount = std::to_string(written / kMega) + " MB";
  return written > allowed ? "GOT " + amount : amount + ", then " + strerrorname_np(error);
}

std::string DiskFile(const Facts& facts) {
  return Fill(facts, Text(facts, "data"));
}

// Files in memory: together they may not exceed what one may.
std::string TmpFiles(const Facts& facts) {
  signal(SIGXFSZ, SIG_IGN);
  const long allowed = Number(facts, "file");
  long total = 0;
  Tally tally;
  for (const char* folder : {"/tmp", "/dev/shm"}) {
    long here = 0;
    for (int i = 0; i < 8; ++i) {
      const std::string path = std::string(folder) + "/hoard" + std::to_string(i);
      const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      if (fd < 0) break;
      const std::string block(kMega, 'x');
      for (int n = 0; n < 16 && write(fd, block.data(), block.size()) > 0; ++n) here += kMega;
      close(fd);
    }
    for (int i = 0; i < 8; ++i) {
      unlink((std::string(folder) + "/hoard" + std::to_string(i)).c_str());
    }
    if (here > allowed) tally.Got(std::to_string(here / kMega) + " MB in " + folder);
    total += here;
  }
  const std::string said = tally.Say();
  return said.empty() ? std::to_string(total / kMega) + " MB in all" : said;
}

std::string Descriptors(const Facts& facts) {
  std::vector<int> open_files;
  int fd = 0;
  while (open_files.size() < 5000 && (fd = dup(0)) >= 0) open_files.push_back(fd);
  for (const int each : open_files) close(each);
  const std::string count = std::to_string(open_files.size());
  const auto allowed = static_cast<std::size_t>(Number(facts, "descriptors"));
  return open_files.size() > allowed ? "GOT " + count : count + " at most";
}

// Outlives its parent, its session and this process, if it can. The test looks for its name.
std::string Remain(const Facts& facts) {
  const std::string name = Text(facts, "marker");
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      setsid();
      if (fork() > 0) _exit(0);
      prctl(PR_SET_PDEATHSIG, 0);
      for (int number = 1; number < 32; ++number) signal(number, SIG_IGN);
      execl("/bin/sleep", name.c_str(), "120", nullptr);
      _exit(1);
    }
    waitpid(child, nullptr, 0);
  }
  return "three daemons started";
}

std::string Flood(const Facts&) {
  const std::string line = "[ERROR] " + std::string(4000, 'x') + "\n";
  for (int i = 0; i < 2000; ++i) {
    (void)!write(1, line.data(), line.size());
    (void)!write(2, line.data(), line.size());
  }
  return "16 MB on stdout and stderr";
}

}  // namespace

const std::vector<Attempt>& HoardAttempts() {
  static const std::vector<Attempt> attempts = {
      {"fork bomb", "cgroup, NPROC", Forks},
      {"memory: private", "RLIMIT_DATA, cgroup", PrivateMemory},
      {"memory: shared", "cgroup", SharedMemory},
      {"memory: in a file", "RLIMIT_FSIZE, cgroup", FileMemory},
      {"a large file", "RLIMIT_FSIZE", DiskFile},
      {"fill /tmp and /dev/shm", "size of the private tmpfs", TmpFiles},
      {"descriptors", "RLIMIT_NOFILE", Descriptors},
      {"flood stdout and stderr", "host", Flood},
      {"leave processes behind", "pid ns", Remain},
  };
  return attempts;
}

}  // namespace talon::hostile
