// SPDX-License-Identifier: Apache-2.0
#include "plugin/sandbox_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "launch/policy.h"

namespace talon::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Needs Wishes() {
  Needs needs;
  needs.network = NetworkAccess::kOutbound;
  needs.workspace = FileAccess::kWrite;
  needs.read_paths = {"/srv/wanted"};
  needs.memory_bytes = 8ULL << 30;
  needs.processes = 10;
  return needs;
}

TEST(SandboxPlanTest, AManifestThatAsksForNothingGetsNothing) {
  const SandboxPlan plan = PlanSandbox({}, {}, {});
  EXPECT_EQ(plan.profile, SandboxProfile::kDefault);
  EXPECT_EQ(plan.network, NetworkAccess::kNone);
  EXPECT_EQ(plan.workspace, FileAccess::kNone);
  EXPECT_EQ(plan.memory_bytes, 256U << 20);
  EXPECT_EQ(plan.processes, 64U);
  EXPECT_FALSE(plan.forks);
  EXPECT_EQ(plan.disk_bytes, 1U << 30);
  EXPECT_FALSE(plan.require);
}

TEST(SandboxPlanTest, WishesAreGrantedUpToTheDefaults) {
  SandboxDefaults defaults;
  SandboxPlan plan = PlanSandbox({}, defaults, Wishes());
  EXPECT_EQ(plan.network, NetworkAccess::kOutbound);
  EXPECT_EQ(plan.workspace, FileAccess::kWrite);
  EXPECT_EQ(plan.memory_bytes, 1U << 30) << "capped";
  EXPECT_EQ(plan.processes, 10U);
  EXPECT_TRUE(plan.forks);
  EXPECT_TRUE(plan.read_paths.empty()) << "a path is granted by the operator alone";
  defaults.network = NetworkAccess::kNone;
  defaults.workspace = FileAccess::kRead;
  plan = PlanSandbox({}, defaults, Wishes());
  EXPECT_EQ(plan.network, NetworkAccess::kNone);
  EXPECT_EQ(plan.workspace, FileAccess::kRead);
}

TEST(SandboxPlanTest, TheEntryDecidesBothWays) {
  SandboxOptions less;
  less.network = NetworkChoice::kNone;
  less.workspace = FileChoice::kNone;
  less.processes = 3;
  SandboxPlan plan = PlanSandbox(less, {}, Wishes());
  EXPECT_EQ(plan.network, NetworkAccess::kNone);
  EXPECT_EQ(plan.workspace, FileAccess::kNone);
  EXPECT_EQ(plan.processes, 3U);
  SandboxOptions more;
  more.network = NetworkChoice::kOutbound;
  more.profile = ProfileChoice::kStrict;
  more.require = RequireChoice::kTrue;
  more.memory = {4ULL << 30};
  more.write_paths = {"/srv/out"};
  plan = PlanSandbox(more, {}, {});
  EXPECT_EQ(plan.network, NetworkAccess::kOutbound);
  EXPECT_EQ(plan.profile, SandboxProfile::kStrict);
  EXPECT_TRUE(plan.require);
  EXPECT_EQ(plan.memory_bytes, 4ULL << 30);
  EXPECT_THAT(plan.write_paths, ElementsAre("/srv/out"));
}

TEST(SandboxPlanTest, PathsAreChecked) {
  for (const char* path : {"", "/", "srv", "/srv/../etc", "/srv/./x", "~/x"}) {
    SandboxOptions entry;
    entry.read_paths = {path};
    EXPECT_FALSE(CheckSandbox(entry).ok()) << path;
  }
  SandboxOptions entry;
  entry.write_paths = {"/srv/data"};
  EXPECT_TRUE(CheckSandbox(entry).ok());
}

constexpr char kAll[] =
    "cgroup ok 0 0\nnamespaces ok 0 1\npid 77\nview ok 0 0\nproc ok 0 0\nlimits ok 0 0\nuser ok 0 "
    "0\n"
    "files ok 0 7\ncalls ok 0 0\n";

TEST(SandboxReportTest, IsParsedAndGraded) {
  SandboxReport report = ParseSandboxReport(kAll);
  EXPECT_EQ(report.program, 77);
  EXPECT_TRUE(ReportStatus(report, "/p").ok());
  const SandboxPlan plan{.profile = SandboxProfile::kDefault};
  EXPECT_EQ(SandboxGrade(plan, report, /*root=*/false), "A");
  EXPECT_EQ(SandboxGrade(plan, report, /*root=*/true), "B") << "it is root, like the daemon";
  report.Find("user")->detail = 1;
  EXPECT_EQ(SandboxGrade(plan, report, /*root=*/true), "A");
  report.Find("proc")->state = "unavailable";
  EXPECT_EQ(SandboxGrade(plan, report, true), "B") << "/proc is empty";
  report.Find("cgroup")->state = "unavailable";
  EXPECT_EQ(SandboxGrade(plan, report, false), "B");
  report.Find("limits")->detail = launch::kThreadsOnly;
  EXPECT_EQ(SandboxGrade(plan, report, false), "B") << "one process: its limits bound all";
  report.Find("limits")->detail = launch::kUncounted;
  EXPECT_EQ(SandboxGrade(plan, report, false), "C");
  report.Find("limits")->detail = 0;
  report.Find("files")->state = "unavailable";
  EXPECT_EQ(SandboxGrade(plan, report, false), "C");
  EXPECT_EQ(SandboxGrade({}, report, false), "none");
  EXPECT_THAT(DescribeLayers(report)[0], HasSubstr("cgroup: unavailable"));
}

TEST(SandboxReportTest, AMissingLayerIsNamedWithItsCure) {
  const auto status = ReportStatus(
      ParseSandboxReport("cgroup ok 0 0\nnamespaces unavailable 1 0\nfatal namespaces 1\n"), "/p");
  EXPECT_THAT(std::string(Message(status)),
              testing::AllOf(HasSubstr("layer 'namespaces'"), HasSubstr("max_user_namespaces"),
                             HasSubstr("sandbox.require: false")));
  EXPECT_EQ(ReportStatus(ParseSandboxReport(std::string(kAll) + "fatal exec 2\n"), "/p").code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReportStatus(ParseSandboxReport("cgroup ok 0 0\n"), "/p").ok())
      << "talon-launch was killed";
  EXPECT_FALSE(ReportStatus(ParseSandboxReport(""), "/p").ok());
}

}  // namespace
}  // namespace talon::plugin
