// SPDX-License-Identifier: Apache-2.0
#include "plugin/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

constexpr char kMount[] = "/sys/fs/cgroup";
constexpr char kDaemonGroup[] = "talon-daemon";
constexpr long kPeriodUs = 100'000;
constexpr std::uint32_t kLauncherProcesses = 2;  // talon-launch itself and the first process
constexpr int kRemoveTries = 20;
constexpr int kRemoveWaitMs = 10;

bool Write(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  return written;
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Controller ("" for version 2) to the daemon's group.
std::map<std::string, std::string> OwnGroups() {
  std::map<std::string, std::string> groups;
  std::istringstream lines(Read("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    const std::string path = line.substr(second + 1);
    if (second == first + 1) groups[""] = path;
    for (std::string name; std::getline(names, name, ',');) groups[name] = path;
  }
  return groups;
}

// In a container the path may be that of the host, with the group itself mounted.
std::string Folder(const std::string& mount, const std::string& path) {
  std::string folder = path == "/" ? mount : mount + path;
  return access((folder + "/cgroup.procs").c_str(), F_OK) == 0 ? folder : mount;
}

bool Writable(const std::string& folder) {
  return access(folder.c_str(), W_OK) == 0 && access((folder + "/cgroup.procs").c_str(), W_OK) == 0;
}

bool Has(const std::string& words, std::string_view word) {
  std::istringstream stream(words);
  for (std::string each; stream >> each;) {
    if (each == word) return true;
  }
  return false;
}

CgroupBase FindVersion1(const std::map<std::string, std::string>& own) {
  CgroupBase base;
  for (const char* controller : {"memory", "pids", "cpu"}) {
    const auto group = own.find(controller);
    if (group == own.end()) continue;
    const std::string folder = Folder(fmt::format("{}/{}", kMount, controller), group->second);
    if (Writable(folder)) base.trees.push_back({folder, {controller}});
  }
  const auto with = [&](const char* name) {
    return std::ranges::any_of(base.trees,
                               [&](const auto& tree) { return tree.controllers[0] == name; });
  };
  if (!with("memory") || !with("pids")) {
    base.trees.clear();
    base.reason = "this user may not make control groups";
  }
  return base;
}

// Told by systemd by an attribute; in a container the root is ours when it is not the machine's.
bool Delegated(const std::string& folder) {
  char value[8];
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    if (getxattr(folder.c_str(), name, value, sizeof(value)) == 1 && value[0] == '1') return true;
  }
  if (geteuid() != 0) return true;  // writable for somebody who is not root: given to us
  return folder == kMount && access((folder + "/cgroup.events").c_str(), F_OK) == 0;
}

// A group with processes of its own cannot be divided: they move one down.
bool Divide(const std::string& folder) {
  const std::string controllers = "+memory +pids +cpu";
  const std::string control = folder + "/cgroup.subtree_control";
  const std::string now = Read(control);
  if (Has(now, "memory") && Has(now, "pids")) return true;
  const std::string inner = fmt::format("{}/{}", folder, kDaemonGroup);
  if (mkdir(inner.c_str(), 0755) != 0 && errno != EEXIST) return false;
  std::istringstream processes(Read(folder + "/cgroup.procs"));
  for (std::string process; processes >> process;) Write(inner + "/cgroup.procs", process);
  return Write(control, controllers) || Write(control, "+memory +pids");
}

CgroupBase FindVersion2(const std::string& path) {
  CgroupBase base;
  base.unified = true;
  std::string folder = Folder(kMount, path);
  const std::string suffix = fmt::format("/{}", kDaemonGroup);
  if (folder.ends_with(suffix)) folder.resize(folder.size() - suffix.size());
  const std::string offered = Read(folder + "/cgroup.controllers");
  if (!Has(offered, "memory") || !Has(offered, "pids")) {
    base.reason = "the controllers memory and pids are not given to this group";
  } else if (!Writable(folder) || !Delegated(folder)) {
    base.reason = "this group is not delegated to the daemon";
  } else if (!Divide(folder)) {
    base.reason = fmt::format("divide group '{}': {}", folder, std::strerror(errno));
  } else {
    base.trees.push_back({folder, {"memory", "pids", "cpu"}});
  }
  return base;
}

void Limit(const CgroupBase& base, const std::string& folder, const std::string& controller,
           const CgroupLimits& limits, bool& limited) {
  const std::string memory = std::to_string(limits.memory_bytes);
  if (controller == "memory") {
    limited &= Write(folder + (base.unified ? "/memory.max" : "/memory.limit_in_bytes"), memory);
    if (base.unified) {
      Write(folder + "/memory.swap.max", "0");
      Write(folder + "/memory.oom.group", "1");
    } else {
      Write(folder + "/memory.memsw.limit_in_bytes", memory);
    }
  }
  if (controller == "pids") {
    limited &= Write(folder + "/pids.max", std::to_string(limits.processes + kLauncherProcesses));
  }
  if (controller == "cpu" && limits.cpu_percent > 0) {
    const long quota = kPeriodUs * static_cast<long>(limits.cpu_percent) / 100;
    if (base.unified) {
      Write(folder + "/cpu.max", fmt::format("{} {}", quota, kPeriodUs));
    } else {
      // Of a new group the period is kPeriodUs already.
      Write(folder + "/cpu.cfs_quota_us", std::to_string(quota));
    }
  }
}

}  // namespace

CgroupBase FindCgroups() {
  const auto own = OwnGroups();
  if (access(fmt::format("{}/cgroup.controllers", kMount).c_str(), F_OK) == 0) {
    const auto group = own.find("");
    return FindVersion2(group == own.end() ? "/" : group->second);
  }
  return FindVersion1(own);
}

std::vector<std::string> MakeCgroup(const CgroupBase& base, const std::string& name,
                                    const CgroupLimits& limits) {
  std::vector<std::string> folders;
  bool limited = base.usable();
  for (const CgroupBase::Tree& tree : base.trees) {
    const std::string folder = fmt::format("{}/{}", tree.folder, name);
    if (mkdir(folder.c_str(), 0755) != 0) {
      limited &= tree.controllers == std::vector<std::string>{"cpu"};
      continue;
    }
    folders.push_back(folder);
    for (const auto& controller : tree.controllers)
      Limit(base, folder, controller, limits, limited);
  }
  if (limited) return folders;
  RemoveCgroup(folders);
  return {};
}

void RemoveCgroup(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    for (int i = 0; i < kRemoveTries && rmdir(folder.c_str()) != 0 && errno == EBUSY; ++i) {
      Write(folder + "/cgroup.kill", "1");
      std::istringstream processes(Read(folder + "/cgroup.procs"));
      for (pid_t process = 0; processes >> process;) {
        if (process > 1) ::kill(process, SIGKILL);
      }
      ::poll(nullptr, 0, kRemoveWaitMs);  // killed processes leave it when they are gone
    }
  }
}

void RemoveCgroups(const CgroupBase& base, const std::string& prefix) {
  std::vector<std::string> found;
  for (const CgroupBase::Tree& tree : base.trees) {
    std::error_code ignored;
    for (fs::directory_iterator it(tree.folder, ignored), end; it != end; it.increment(ignored)) {
      if (it->path().filename().string().starts_with(prefix)) found.push_back(it->path().string());
    }
  }
  RemoveCgroup(found);
}

}  // namespace talon::plugin
