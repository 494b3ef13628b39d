// SPDX-License-Identifier: Apache-2.0
// Control groups of version 2, wherever this machine has them mounted.
#include "plugin/cgroup.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// A group of version 2 below its root, in which groups can be made.
class Cgroup2Test : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      if (fs::exists(std::string(mount) + "/cgroup.controllers")) mount_ = mount;
    }
    folder_ = mount_ + "/talon-test-" + std::to_string(getpid());
    if (mount_.empty() || mkdir(folder_.c_str(), 0755) != 0) {
      GTEST_SKIP() << "no cgroup v2 in which this user may make groups";
    }
    base_.unified = true;
  }
  ~Cgroup2Test() override {
    if (!folder_.empty()) rmdir(folder_.c_str());
  }

  std::string mount_, folder_;
  CgroupBase base_;
};

TEST_F(Cgroup2Test, AGroupIsRemovedWithAllThatIsInIt) {
  base_.trees = {{folder_, {"cpu"}}};
  const auto made = MakeCgroup(base_, "one", {});
  ASSERT_EQ(made, std::vector<std::string>{folder_ + "/one"});
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    while (true) pause();
  }
  ASSERT_GT(child, 0);
  std::ofstream(made[0] + "/cgroup.procs") << child;
  ASSERT_EQ(FirstLine(made[0] + "/cgroup.procs"), std::to_string(child));
  RemoveCgroups(base_, "other");
  EXPECT_TRUE(fs::exists(made[0]));
  RemoveCgroups(base_, "on");
  EXPECT_FALSE(fs::exists(made[0]));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(Cgroup2Test, AGroupIsLimitedOrThereIsNone) {
  base_.trees = {{folder_, {"memory", "pids"}}};
  std::ofstream(mount_ + "/cgroup.subtree_control") << "+memory +pids";
  std::ofstream(folder_ + "/cgroup.subtree_control") << "+memory +pids";
  const bool can = fs::exists(folder_ + "/memory.max") && fs::exists(folder_ + "/pids.max");
  const auto made = MakeCgroup(base_, "one", {.memory_bytes = 64 << 20, .processes = 10});
  if (!can) {
    EXPECT_TRUE(made.empty());
    EXPECT_FALSE(fs::exists(folder_ + "/one"));
    GTEST_SKIP() << "this machine gives memory and pids to cgroup v1: no limit of v2 was tried";
  }
  ASSERT_EQ(made, std::vector<std::string>{folder_ + "/one"});
  EXPECT_EQ(FirstLine(made[0] + "/memory.max"), std::to_string(64 << 20));
  EXPECT_EQ(FirstLine(made[0] + "/memory.oom.group"), "1");
  EXPECT_EQ(FirstLine(made[0] + "/pids.max"), "12");  // with talon-launch's own
  RemoveCgroup(made);
  EXPECT_FALSE(fs::exists(made[0]));
}

}  // namespace
}  // namespace talon::plugin
