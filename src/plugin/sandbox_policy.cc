// SPDX-License-Identifier: Apache-2.0
#include "plugin/sandbox_policy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/status.h"
#include "launch/policy.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

// Reserved address space is not memory: Go and Java reserve a gigabyte before they use one.
constexpr std::uint64_t kAddressSpacePerMemory = 32;
// Where nothing else bounds it, it is: memory that was written and is then marked read-only counts
// as nobody's data.
constexpr std::uint64_t kAddressSpaceAlone = 8;
constexpr std::uint64_t kLockedBytes = 64 << 10;

// Where a merged /usr has links and an older system folders.
constexpr std::string_view kSystemFolders[] = {"/bin",   "/sbin",  "/lib",
                                               "/lib32", "/lib64", "/libx32"};

// What programs and libraries read whatever they do. No secrets, nothing of a person.
constexpr std::string_view kSystemFiles[] = {
    "/etc/ld.so.cache",     "/etc/ld.so.conf",     "/etc/ld.so.conf.d", "/etc/alternatives",
    "/etc/localtime",       "/etc/timezone",       "/etc/passwd",       "/etc/group",
    "/etc/nsswitch.conf",   "/etc/mime.types",     "/etc/os-release",   "/etc/debian_version",
    "/etc/gitconfig",       "/etc/profile",        "/etc/bash.bashrc",  "/etc/inputrc",
    "/etc/terminfo",        "/etc/locale.alias",   "/etc/python3",      "/etc/perl",
    "/etc/java-17-openjdk", "/etc/ssl/openssl.cnf"};

// Name resolution and certificates.
constexpr std::string_view kNetworkFiles[] = {"/etc/resolv.conf", "/etc/hosts",
                                              "/etc/host.conf",   "/etc/gai.conf",
                                              "/etc/services",    "/etc/protocols",
                                              "/etc/ssl/certs",   "/etc/ca-certificates",
                                              "/etc/pki/tls",     "/etc/pki/ca-trust/extracted"};

constexpr std::string_view kDevices[] = {"/dev/null", "/dev/full", "/dev/random", "/dev/urandom"};
// Mapped by who may write to it, it is shared memory.
constexpr std::string_view kSource = "/dev/zero";

// The private file systems in memory.
constexpr std::string_view kTmps[] = {"/tmp", "/dev/shm"};

class Writer {
 public:
  Writer() { Raw(launch::kFirstRecord); }
  void Add(std::string_view key, std::string_view value) { Raw(fmt::format("{}={}", key, value)); }
  void Add(std::string_view key, std::uint64_t value) { Add(key, std::to_string(value)); }
  // Of two grants of one path the one that allows more counts.
  void Grant(char mode, std::string_view path) {
    constexpr std::string_view kWeakFirst = "rxsdw";
    char& granted = grants_.try_emplace(std::string(path), mode).first->second;
    if (kWeakFirst.find(mode) > kWeakFirst.find(granted)) granted = mode;
  }

  std::string Finish() {
    for (const auto& [path, mode] : grants_) Add("grant", fmt::format("{}:{}", mode, path));
    Raw(launch::kLastRecord);
    return std::move(text_);
  }

 private:
  void Raw(std::string_view record) {
    text_ += record;
    text_ += '\0';
  }
  std::string text_;
  std::map<std::string, char> grants_;  // an outer folder stands before what is in it
};

void GrantSystem(Writer& policy, bool network) {
  policy.Grant('x', "/usr");
  for (const std::string_view folder : kSystemFolders) {
    std::error_code ignored;
    if (fs::is_symlink(folder, ignored)) {
      policy.Add("link", folder);
    } else {
      policy.Grant('x', folder);
    }
  }
  for (const std::string_view file : kSystemFiles) policy.Grant('r', file);
  if (network) {
    for (const std::string_view file : kNetworkFiles) policy.Grant('r', file);
  }
  for (const std::string_view device : kDevices) policy.Grant('d', device);
  policy.Grant('s', kSource);
  policy.Grant('r', "/proc");
}

bool Within(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

// Grants of the operator and of the plugin's own folders, none of which shows the daemon's home.
class Grants {
 public:
  Grants(Writer& policy, const PolicyFacts& facts) : policy_(policy), facts_(facts) {
    std::error_code missing;
    if (!facts.home.empty()) home_ = fs::canonical(facts.home, missing);
  }

  // In the home there is nothing to grant but the plugin's data and the workspace.
  absl::Status Operator(char mode, const std::string& path) {
    std::error_code missing;
    const fs::path real = fs::canonical(path, missing);
    if (missing) return ErrnoToStatus(missing.value(), fmt::format("sandbox: grant '{}'", path));
    if (!home_.empty() && Within(home_, real)) TALON_RETURN_IF_ERROR(Cover(mode, path, real));
    if (!home_.empty() && real != home_ && Within(real, home_) && !IsOwn(real)) {
      return Refuse(path, "lies in it");
    }
    policy_.Grant(mode, path);
    return absl::OkStatus();
  }

  // A plugin that is installed as a folder of its name, with its manifest, has the folder.
  void Program() {
    const fs::path program = facts_.program;
    const fs::path folder = program.parent_path();
    const bool named = folder.filename() == facts_.plugin || folder.filename() == program.stem();
    std::error_code missing;
    const bool whole = named && fs::exists(folder / "manifest.json", missing) &&
                       (home_.empty() || !Within(home_, folder));
    policy_.Grant('x', whole ? folder.string() : program.string());
  }

 private:
  absl::Status Refuse(const std::string& path, std::string_view why) const {
    return PermissionDenied(
        fmt::format("sandbox: grant '{}': talon's home '{}', with its token and its database, {}; "
                    "grant another folder",
                    path, home_.string(), why));
  }

  bool IsOwn(const fs::path& real) const {
    for (const std::string* own : {&facts_.workspace, &facts_.data_directory}) {
      std::error_code missing;
      const fs::path folder = own->empty() ? fs::path() : fs::canonical(*own, missing);
      if (!folder.empty() && !Within(home_, folder) && Within(real, folder)) return true;
    }
    return false;
  }

  // `path`, which is `real`, shows the home: not to a plugin.
  absl::Status Cover(char mode, const std::string& path, const fs::path& real) {
    if (real == home_) return Refuse(path, "is what it would show");
    if (!facts_.namespaces) {
      return Refuse(path, "lies in it, and cannot be covered without the layer 'view'");
    }
    // Who may rename a folder above it could give the daemon another home.
    if (mode == 'w' && home_.parent_path() != real)
      return Refuse(path, "lies deeper in it than its cover holds");
    policy_.Grant('c', (fs::path(path) / home_.lexically_relative(real)).string());
    return absl::OkStatus();
  }

  Writer& policy_;
  const PolicyFacts& facts_;
  fs::path home_;
};

void AddLimits(Writer& policy, const SandboxPlan& plan, const SandboxDefaults& defaults,
               bool counted) {
  const auto limit = [&](std::string_view name, std::uint64_t value) {
    policy.Add("limit", fmt::format("{} {}", name, value));
  };
  limit("data", plan.memory_bytes);
  const bool alone = !counted && !plan.forks;
  limit("as", plan.memory_bytes * (alone ? kAddressSpaceAlone : kAddressSpacePerMemory));
  limit("nproc", plan.processes);
  limit("nofile", defaults.max_open_files);
  limit("fsize", defaults.max_file.value);
  limit("core", 0);
  limit("memlock", kLockedBytes);
}

}  // namespace

absl::StatusOr<std::string> WritePolicy(const PolicyFacts& facts, const SandboxPlan& plan,
                                        const SandboxDefaults& defaults) {
  Writer policy;
  const bool network = plan.network == NetworkAccess::kOutbound;
  policy.Add("parent", static_cast<std::uint64_t>(::getpid()));
  policy.Add("program", facts.program);
  if (facts.program_is_descriptor) policy.Add("program_fd", 1);
  policy.Add("arg", facts.program);
  for (const std::string& arg : facts.args) policy.Add("arg", arg);
  for (const std::string& variable : facts.env) policy.Add("env", variable);
  policy.Add("directory", facts.data_directory);
  policy.Add("scratch", facts.socket_directory);
  policy.Add("profile", plan.profile == SandboxProfile::kStrict ? "strict" : "default");
  policy.Add("require", plan.require ? 1 : 0);
  policy.Add("network", network ? "outbound" : "none");
  if (facts.own_uid != 0) {
    policy.Add("uid", facts.own_uid);
    policy.Add("gid", facts.own_uid);
  }
  for (const std::string& folder : facts.cgroup) policy.Add("cgroup", folder);
  if (!facts.namespaces) policy.Add("namespaces", 0);
  if (facts.probe) policy.Add("probe", 1);
  for (const std::string_view folder : kTmps) {
    policy.Add("tmp", fmt::format("{}:{}", defaults.max_file.value, folder));
  }
  const bool counted = !facts.cgroup.empty();
  if (!counted) policy.Add("shared", 0);
  if (!counted && !plan.forks) policy.Add("forks", 0);
  AddLimits(policy, plan, defaults, counted);
  GrantSystem(policy, network);
  Grants grants(policy, facts);
  if (plan.workspace != FileAccess::kNone) {
    const char mode = plan.workspace == FileAccess::kRead ? 'x' : 'w';
    TALON_RETURN_IF_ERROR(grants.Operator(mode, facts.workspace));
  }
  grants.Program();
  for (const std::string& path : plan.read_paths) {
    TALON_RETURN_IF_ERROR(grants.Operator('x', path));
  }
  for (const std::string& path : plan.write_paths) {
    TALON_RETURN_IF_ERROR(grants.Operator('w', path));
  }
  policy.Grant('w', facts.data_directory);
  policy.Grant('w', facts.socket_directory);
  return policy.Finish();
}

absl::StatusOr<int> MakePolicyFile() {
  const int file = ::memfd_create("talon-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return ErrnoToStatus(errno, "sandbox: make a file in memory");
  return file;
}

absl::Status FillPolicyFile(int file, std::string_view policy) {
  if (policy.size() > launch::kMaxPolicy) {
    return InvalidArgument(fmt::format("sandbox: arguments, environment and paths exceed {} bytes",
                                       launch::kMaxPolicy));
  }
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const bool written =
      ::write(file, policy.data(), policy.size()) == static_cast<ssize_t>(policy.size()) &&
      ::fcntl(file, F_ADD_SEALS, kSeals) == 0;
  return written ? absl::OkStatus() : ErrnoToStatus(errno, "sandbox: write the policy");
}

}  // namespace talon::plugin
