// SPDX-License-Identifier: Apache-2.0
// Bounded by itself: each takes a little more than it should get and stops there.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

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

// A piece of memory, or MAP_FAILED.
using Source = void* (*)(int fd, long at, long size);

void* Private(int, long, long size) {
  return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
void* Shared(int, long, long size) {
  return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
void* OfFile(int fd, long at, long size) {
  return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
}
void* OfZero(int, long, long size) {
  const int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
  void* piece = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return piece;
}
void* OfSystem5(int, long, long size) {
  const int id = shmget(IPC_PRIVATE, size, 0600);
  void* piece = id < 0 ? MAP_FAILED : shmat(id, nullptr, 0);
  if (id >= 0) shmctl(id, IPC_RMID, nullptr);
  return piece;
}

// Touches memory in steps up to `most`; answers how much it got. `hide`: written, then marked
// read-only, so that it counts as data no more. `keep`: gives nothing back.
long Take(Source source, int fd, long most, bool hide, bool keep) {
  constexpr long kStep = 16 * kMega;
  std::vector<void*> pieces;
  long taken = 0;
  for (; taken < most; taken += kStep) {
    void* piece = source(fd, taken, kStep);
    if (piece == MAP_FAILED) break;
    std::memset(piece, 1, kStep);
    if (hide) mprotect(piece, kStep, PROT_READ);
    pieces.push_back(piece);
  }
  for (void* piece : pieces) {
    if (!keep) munmap(piece, kStep);
  }
  return taken;
}

// In a child, which the kernel may end for it, or here where there can be none.
std::string TakeInChild(const Facts& facts, Source source, bool file = false, bool hide = false) {
  const long allowed = Number(facts, hide ? "hidden_memory" : "memory");
  const long most = allowed + 128 * kMega;
  const auto take = [&](bool keep) {
    const int fd = file ? memfd_create("hoard", MFD_CLOEXEC) : -1;
    const bool ready = !file || (fd >= 0 && ftruncate(fd, most) == 0);
    const long taken = ready ? Take(source, fd, most, hide, keep) : 0;
    if (fd >= 0 && !keep) close(fd);
    return taken;
  };
  const auto say = [&](long taken) {
    const std::string amount = std::to_string(taken / kMega) + " MB";
    return taken >= most ? "GOT " + amount : amount + " at most";
  };
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const long taken = take(true);
    (void)!write(ends[1], &taken, sizeof(taken));
    _exit(0);
  }
  close(ends[1]);
  long taken = 0;
  const bool told = child > 0 && read(ends[0], &taken, sizeof(taken)) == sizeof(taken);
  close(ends[0]);
  if (child < 0) return say(take(false));
  int status = 0;
  waitpid(child, &status, 0);
  if (!told) return WIFSIGNALED(status) ? "ended by the kernel" : "refused by its limit";
  return say(taken);
}

std::string PrivateMemory(const Facts& facts) {
  return TakeInChild(facts, Private);
}
std::string HiddenMemory(const Facts& facts) {
  return TakeInChild(facts, Private, false, true);
}
std::string SharedMemory(const Facts& facts) {
  return TakeInChild(facts, Shared);
}
std::string ZeroMemory(const Facts& facts) {
  return TakeInChild(facts, OfZero);
}
std::string System5Memory(const Facts& facts) {
  return TakeInChild(facts, OfSystem5);
}
std::string FileMemory(const Facts& facts) {
  return TakeInChild(facts, OfFile, true);
}

// Each takes half of what is allowed, and holds it until all have.
std::string MemoryOfMany(const Facts& facts) {
  constexpr int kChildren = 6;
  const long each = Number(facts, "memory") / 2;
  int told[2], held[2];
  if (pipe2(told, O_CLOEXEC) != 0 || pipe2(held, O_CLOEXEC) != 0) return "no pipe";
  std::vector<pid_t> children;
  int error = 0;
  for (int i = 0; i < kChildren; ++i) {
    const pid_t child = fork();
    error = errno;
    if (child < 0) break;
    if (child > 0) {
      children.push_back(child);
      continue;
    }
    alarm(20);
    close(held[1]);
    const long taken = Take(Private, -1, each, false, true);
    (void)!write(told[1], &taken, sizeof(taken));
    (void)!read(held[0], &error, 1);  // ends with the parent's end
    _exit(0);
  }
  close(told[1]);
  long total = 0, taken = 0;
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (read(told[0], &taken, sizeof(taken)) == sizeof(taken)) total += taken;
  }
  for (const int fd : {told[0], held[0], held[1]}) close(fd);
  int killed = 0;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    killed += WIFSIGNALED(status) ? 1 : 0;
  }
  if (children.empty()) return std::string("no process: ") + strerrorname_np(error);
  const std::string amount = std::to_string(total / kMega) + " MB over " +
                             std::to_string(children.size()) + " processes, " +
                             std::to_string(killed) + " ended by the kernel";
  return killed == 0 && total > Number(facts, "memory") ? "GOT " + amount : amount;
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

// Until it is ended for it; far more than it may, of what is left for the test to remove.
std::string ManyFiles(const Facts& facts, long bytes, long count) {
  const std::string folder = Text(facts, "data") + "/hoard";
  mkdir(folder.c_str(), 0700);
  const std::string block(kMega, 'x');
  for (long i = 0; i < count; ++i) {
    const std::string path = folder + "/" + std::to_string(i);
    const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return "refused " + path + " " + strerrorname_np(errno);
    for (long done = 0; done < bytes && write(fd, block.data(), block.size()) > 0;) done += kMega;
    close(fd);
  }
  std::this_thread::sleep_for(std::chrono::seconds(15));
  return "GOT " + std::to_string(count) + " files of " + std::to_string(bytes) + " bytes";
}

std::string LargeFiles(const Facts& facts) {
  const long each = Number(facts, "file") / 6;
  return ManyFiles(facts, each, 4 * Number(facts, "disk") / each);
}
std::string EmptyFiles(const Facts& facts) {
  return ManyFiles(facts, 0, Number(facts, "disk") / 512);
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

// Deeper than a path may be long: what is left behind is to be removed all the same.
std::string DeepFolders(const Facts& facts) {
  const int start = open(std::getenv("TMPDIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (start < 0) return "GOT no socket folder to try it in";
  if (fchdir(start) != 0) return "fchdir: refused";
  close(start);
  int depth = 0;
  while (depth < 2000 && mkdir("folder", 0700) == 0 && chdir("folder") == 0) ++depth;
  (void)!chdir(Text(facts, "data").c_str());
  return std::to_string(depth) + " folders";
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
      {"memory: hidden from RLIMIT_DATA", "cgroup, RLIMIT_AS", HiddenMemory},
      {"memory: of many processes", "cgroup, or no processes", MemoryOfMany},
      {"memory: shared", "cgroup, seccomp", SharedMemory},
      {"memory: shared by /dev/zero", "Landlock", ZeroMemory},
      {"memory: System V", "cgroup, seccomp", System5Memory},
      {"memory: in a file", "RLIMIT_FSIZE, cgroup", FileMemory},
      {"a large file", "RLIMIT_FSIZE", DiskFile},
      {"many files", "disk", LargeFiles},
      {"many empty files", "disk", EmptyFiles},
      {"folders deeper than a path", "disk, host", DeepFolders},
      {"fill /tmp and /dev/shm", "size of the private tmpfs", TmpFiles},
      {"descriptors", "RLIMIT_NOFILE", Descriptors},
      {"flood stdout and stderr", "host", Flood},
      {"leave processes behind", "pid ns", Remain},
  };
  return attempts;
}

}  // namespace talon::hostile
