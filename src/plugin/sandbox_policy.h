// SPDX-License-Identifier: Apache-2.0
// The policy that talon-launch reads (launch/policy.h), written. Looks at the file system; blocks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "plugin/sandbox_plan.h"

namespace talon::plugin {

struct PolicyFacts {
  std::string plugin;  // its name
  std::string program;
  bool program_is_descriptor = false;  // what runs was opened before; `program` is its path
  std::vector<std::string> args, env;  // args without argv[0]
  std::string data_directory, socket_directory, workspace, home;
  std::vector<std::string> cgroup;
  uid_t own_uid = 0;  // 0 = the daemon's user
  bool namespaces = true;
  bool probe = false;
};

// Fails when a path that the operator has granted does not exist, or would show the daemon's home
// where that cannot be covered.
absl::StatusOr<std::string> WritePolicy(const PolicyFacts& facts, const SandboxPlan& plan,
                                        const SandboxDefaults& defaults);

// An empty file in memory, which the caller closes.
absl::StatusOr<int> MakePolicyFile();
// Its whole content; it is sealed then.
absl::Status FillPolicyFile(int file, std::string_view policy);

}  // namespace talon::plugin
