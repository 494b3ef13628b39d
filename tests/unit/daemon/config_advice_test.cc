// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_folder.h"

namespace talon::daemon {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ConfigAdviceTest : public testing::Test {
 protected:
  ConfigAdviceTest() {
    for (const char* path : {"home/plugins/data/p", "home/lua", "home/workspace/main", "apart"}) {
      fs::create_directories(folder_ / path);
    }
  }
  std::vector<std::string> Advice(const std::string& yaml) const {
    auto loaded =
        config::Parse(yaml, "talon.yaml", [](const char*) -> const char* { return nullptr; });
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    Paths paths;
    paths.home = folder_ / "home";
    return loaded.ok() ? ConfigAdvice(*loaded, paths) : std::vector<std::string>();
  }
  std::vector<std::string> AdviceOfGrant(const std::string& path, const char* more = "") const {
    return Advice("plugins:\n  p:\n    sandbox:\n      read_paths: [" + path + "]\n" + more);
  }

  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(ConfigAdviceTest, GrantsThatReachTheHomeAreTold) {
  EXPECT_THAT(AdviceOfGrant(folder_ / "home"),
              ElementsAre(AllOf(StartsWith("talon.yaml:4: plugins.p.sandbox.read_paths: "),
                                HasSubstr("is talon's home"))));
  EXPECT_THAT(AdviceOfGrant(folder_.path()), ElementsAre(HasSubstr("holds talon's home")));
  EXPECT_THAT(AdviceOfGrant(folder_ / "home/lua"), ElementsAre(HasSubstr("lies in talon's home")));
  fs::create_directory_symlink(folder_ / "home", folder_ / "link");
  EXPECT_THAT(AdviceOfGrant(folder_ / "link"), ElementsAre(HasSubstr("is talon's home")));
  EXPECT_THAT(AdviceOfGrant(folder_ / "none"), ElementsAre(HasSubstr("does not exist")));
}

TEST_F(ConfigAdviceTest, HarmlessGrantsAreNot) {
  for (const char* path : {"apart", "home/plugins/data/p", "home/workspace/main"}) {
    EXPECT_THAT(AdviceOfGrant(folder_ / path), IsEmpty()) << path;
  }
  EXPECT_THAT(AdviceOfGrant(folder_ / "home", "    enabled: false\n"), IsEmpty());
}

TEST_F(ConfigAdviceTest, AWorkspaceAroundTheHomeIsTold) {
  EXPECT_THAT(Advice("workspace: " + folder_.path() + "\n"),
              ElementsAre(StartsWith("talon.yaml:1: workspace: ")));
  EXPECT_THAT(Advice("workspace: " + (folder_ / "apart") + "\n"), IsEmpty());
}

TEST_F(ConfigAdviceTest, NamesThatCannotBeAPluginsAreRefused) {
  const auto loaded = config::Parse("plugins:\n  ok: {}\n  Not ok: {}\n", "talon.yaml",
                                    [](const char*) -> const char* { return nullptr; });
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(std::string(loaded.status().message()),
              AllOf(HasSubstr("talon.yaml:3"), HasSubstr("Not ok")));
}

}  // namespace
}  // namespace talon::daemon
