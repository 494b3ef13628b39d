// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "attempts.h"

namespace talon::hostile {
namespace {

std::vector<std::string> Secrets(const Facts& facts) {
  const std::string home = Text(facts, "home");
  return {home + "/talon.db",
          home + "/token",
          home + "/talon.yaml",
          home + "/plugins/data/other/notes.txt",
          home + "/ssh/id_ed25519",
          home + "/plugins/plugins.lock",
          "/etc/shadow",
          "/root/.ssh/id_rsa",
          "/proc/1/environ",
          "/var/log/syslog",
          "/boot"};
}

// Something in it, not only its name.
bool HasContent(int fd) {
  char text[64];
  struct stat info{};
  if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) return true;
  return read(fd, text, sizeof(text)) > 0;
}

void TryOpen(Tally& tally, const std::string& path, const char* how) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return tally.Refused(how, errno);
  if (HasContent(fd)) tally.Got(std::string(how) + " " + path);
  close(fd);
}

std::string Read(const Facts& facts) {
  Tally tally;
  for (const std::string& path : Secrets(facts)) TryOpen(tally, path, "open");
  return tally.Say();
}

std::string Write(const Facts& facts) {
  Tally tally;
  for (const std::string& path : Secrets(facts)) {
    const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    tally.Way("write", fd);
    if (fd >= 0) close(fd);
    tally.Way("truncate", truncate(path.c_str(), 0));
    tally.Way("remove", unlink(path.c_str()));
    tally.Way("rename", rename(path.c_str(), (path + ".moved").c_str()));
    tally.Way("chmod", chmod(path.c_str(), 0777));
    tally.Way("utime", utimensat(AT_FDCWD, path.c_str(), nullptr, 0));
  }
  for (const char* path : {"/usr/bin/evil", "/etc/evil", "/evil", "/var/tmp/evil", "/dev/evil"}) {
    const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    tally.Way("create", fd);
  }
  // Where the way to its folders leads through its private /tmp this works, and goes nowhere: what
  // counts is what is seen from outside.
  const std::string home = Text(facts, "home");
  (void)open((home + "/evil").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
  return tally.Say();
}

std::string Rewrite(const Facts&) {
  Tally tally;
  for (const int how : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC}) {
    const int fd = open("/proc/self/exe", how | O_CLOEXEC);
    if (fd >= 0) tally.Way("write into its program", write(fd, "x", 1));
    if (fd < 0) tally.Refused("open its program", errno);
    if (fd >= 0) close(fd);
  }
  return tally.Way("truncate its program", truncate("/proc/self/exe", 0)).Say();
}

// The folders on the way to its own are there, with nothing of others in them.
std::string List(const Facts& facts) {
  Tally tally;
  const std::string home = Text(facts, "home");
  for (const std::string& path :
       {home, home + "/plugins", home + "/plugins/data", home + "/plugins/data/other",
        home + "/run", home + "/run/p", std::string("/root"), std::string("/home"),
        std::string("/var"), std::string("/sys"), std::string("/boot"), std::string("/dev/pts")}) {
    DIR* folder = opendir(path.c_str());
    if (folder == nullptr) {
      tally.Refused("list", errno);
      continue;
    }
    const bool on_the_way = path.starts_with(home);
    while (const dirent* entry = readdir(folder)) {
      const std::string name = entry->d_name;
      const bool ours = name == "." || name == ".." || name == "plugins" || name == "data" ||
                        name == "hostile" || name == "run" || name == "p" || name == "workspace" ||
                        name == "evil" || name.starts_with("p-");
      if (!on_the_way || !ours) tally.Got("list " + path + "/" + name);
    }
    closedir(folder);
  }
  return tally.Say();
}

std::string Escape(const Facts& facts) {
  Tally tally;
  const std::string home = Text(facts, "home");
  const std::string data = Text(facts, "data");
  int number = 0;
  for (const std::string& secret : Secrets(facts)) {
    const std::string link = data + "/link" + std::to_string(number++);
    if (symlink(secret.c_str(), link.c_str()) == 0) TryOpen(tally, link, "symlink");
    if (linkat(AT_FDCWD, secret.c_str(), AT_FDCWD, (link + "h").c_str(), AT_SYMLINK_FOLLOW) == 0) {
      tally.Got("hard link " + secret);
    }
    for (const char* root : {"/proc/self/root", "/proc/1/root", "/proc/self/cwd/../../../../.."}) {
      TryOpen(tally, root + secret, "proc");
    }
    TryOpen(tally, data + "/../../../../../../../.." + secret, "dots");
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    const long fd = syscall(SYS_openat2, AT_FDCWD, secret.c_str(), &how, sizeof(how));
    if (fd >= 0 && HasContent(static_cast<int>(fd))) tally.Got("openat2 " + secret);
  }
  TryOpen(tally, "/proc/" + Text(facts, "daemon_pid") + "/root" + home + "/token", "daemon root");
  TryOpen(tally, "/proc/" + Text(facts, "daemon_pid") + "/cwd", "daemon cwd");
  tally.Way("exchange", syscall(SYS_renameat2, AT_FDCWD, data.c_str(), AT_FDCWD,
                                (home + "/plugins/data/other").c_str(), 2));
  return tally.Say();
}

std::string Handle(const Facts& facts) {
  Tally tally;
  struct {
    file_handle handle;
    unsigned char bytes[8];
  } root{};
  root.handle.handle_bytes = 8;
  root.handle.handle_type = 1;
  root.bytes[0] = 2;  // the root of most file systems
  const int mount = open(Text(facts, "data").c_str(), O_RDONLY | O_CLOEXEC);
  tally.Way("open_by_handle_at", syscall(SYS_open_by_handle_at, mount, &root, O_RDONLY));
  close(mount);
  return tally.Say();
}

std::string Mount(const Facts& facts) {
  Tally tally;
  const std::string data = Text(facts, "data");
  tally.Way("bind", mount("/", data.c_str(), nullptr, MS_BIND | MS_REC, nullptr));
  tally.Way("tmpfs", mount("tmpfs", data.c_str(), "tmpfs", 0, nullptr));
  tally.Way("proc", mount("proc", data.c_str(), "proc", 0, nullptr));
  tally.Way("remount", mount(nullptr, "/usr", nullptr, MS_REMOUNT | MS_BIND, nullptr));
  tally.Way("umount", umount2("/proc", MNT_DETACH));
  tally.Way("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  tally.Way("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  tally.Way("chroot", chroot(data.c_str()));
  tally.Way("pivot_root", syscall(SYS_pivot_root, data.c_str(), data.c_str()));
  return tally.Say();
}

std::string Devices(const Facts& facts) {
  Tally tally;
  const std::string data = Text(facts, "data");
  tally.Way("mknod disk", mknod((data + "/disk").c_str(), S_IFBLK | 0600, makedev(254, 0)));
  tally.Way("mknod mem", mknod((data + "/mem").c_str(), S_IFCHR | 0600, makedev(1, 1)));
  for (const char* path : {"/dev/vda", "/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/kvm",
                           "/dev/fuse", "/dev/net/tun", "/dev/loop-control", "/dev/ptmx"}) {
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    tally.Way(path, fd);
  }
  return tally.Say();
}

std::string Settings(const Facts&) {
  Tally tally;
  for (const char* path :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
        "/proc/sys/vm/drop_caches", "/proc/sys/fs/file-max", "/proc/self/oom_score_adj",
        "/proc/self/uid_map", "/sys/power/state", "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/memory/cgroup.procs", "/proc/self/attr/exec"}) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    tally.Way("open", fd);
    if (fd >= 0) close(fd);
  }
  for (const char* path : {"/proc/kcore", "/proc/kmsg", "/proc/keys"}) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char byte = 0;
    if (fd >= 0 && read(fd, &byte, 1) == 1) tally.Got(std::string("read ") + path);
    if (fd >= 0) close(fd);
  }
  return tally.Say();
}

std::string Privileges(const Facts& facts) {
  Tally tally;
  tally.Way("setgid", setresgid(0, 0, 0) == 0 && getgid() != 0 ? 0 : -1);
  tally.Way("chown", chown(Text(facts, "data").c_str(), 12345, 12345));
  tally.Way("setgroups", syscall(SYS_setgroups, 0, nullptr));
  if (geteuid() != 0) tally.Way("setuid", setresuid(0, 0, 0));
  if (geteuid() == 0) tally.Way("setuid", setresuid(12345, 12345, 12345));
  // A program with the setuid bit gives nothing.
  FILE* program = popen("su -c id root </dev/null 2>&1; sudo -n id 2>&1", "r");
  char line[256];
  while (program != nullptr && fgets(line, sizeof(line), program) != nullptr) {
    if (geteuid() != 0 && std::strstr(line, "uid=0") != nullptr) tally.Got("root by su");
  }
  if (program != nullptr) pclose(program);
  return tally.Say();
}

}  // namespace

const std::vector<Attempt>& FileAttempts() {
  static const std::vector<Attempt> attempts = {
      {"read the daemon's and the system's secrets", "view, Landlock", Read},
      {"change them, create files outside", "view, Landlock", Write},
      {"rewrite its own program", "Landlock, seals", Rewrite},
      {"list folders outside", "view, Landlock", List},
      {"escape by links, .., /proc/*/root, openat2, rename", "view, Landlock", Escape},
      {"open_by_handle_at", "seccomp", Handle},
      {"mount, chroot, pivot_root", "seccomp", Mount},
      {"devices", "view, Landlock, no caps", Devices},
      {"kernel settings, cgroup files", "view, Landlock", Settings},
      {"another user", "no caps, no_new_privs", Privileges},
  };
  return attempts;
}

}  // namespace talon::hostile
