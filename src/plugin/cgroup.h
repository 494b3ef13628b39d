// SPDX-License-Identifier: Apache-2.0
// Control groups of plugins, below the daemon's own: version 1 or 2, as root or where the service
// manager has delegated. Everything blocks; run it on a worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace talon::plugin {

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;
  std::uint32_t processes = 0;
  std::uint32_t cpu_percent = 0;  // of one processor; 0 = no limit
};

// Where groups can be made. Found once, then constant.
struct CgroupBase {
  struct Tree {
    std::string folder;                    // ours
    std::vector<std::string> controllers;  // "memory", "pids", "cpu"
  };
  std::vector<Tree> trees;  // one in version 2; empty: not possible
  bool unified = false;
  std::string reason;  // when not possible

  bool usable() const { return !trees.empty(); }
};

// In version 2 it may move the daemon into a group of its own inside the delegated one, as the
// kernel demands of whoever divides a group.
CgroupBase FindCgroups();

// The folders of a new group; empty when memory or processes could not be limited.
std::vector<std::string> MakeCgroup(const CgroupBase& base, const std::string& name,
                                    const CgroupLimits& limits);

// Kills what is in it and removes it.
void RemoveCgroup(const std::vector<std::string>& folders);

// Removes the groups whose names begin so, of a daemon that was killed.
void RemoveCgroups(const CgroupBase& base, const std::string& prefix);

}  // namespace talon::plugin
