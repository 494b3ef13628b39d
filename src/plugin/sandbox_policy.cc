// SPDX-License-Identifier: Apache-2.0
#include "plugin/sandbox_policy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/status.h"
#include "launch/policy.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

// Reserved address space is not memory: Go and Java reserve a gigabyte before they use one.
constexpr std::uint64_t kAddressSpacePerMemory = 32;
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

constexpr std::string_view kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                         "/dev/urandom"};

// The private file systems in memory.
constexpr std::string_view kTmps[] = {"/tmp", "/dev/shm"};

class Writer {
 public:
  Writer() { Raw(launch::kFirstRecord); }
  void Add(std::string_view key, std::string_view value) { Raw(fmt::format("{}={}", key, value)); }
  void Add(std::string_view key, std::uint64_t value) { Add(key, std::to_string(value)); }
  // Of two grants of one path the one that allows more counts.
  void Grant(char mode, std::string_view path) {
    constexpr std::string_view kWeakFirst = "rxdw";
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
  policy.Grant('r', "/proc");
}

absl::Status GrantPaths(Writer& policy, char mode, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
      return ErrnoToStatus(errno, fmt::format("sandbox: grant '{}'", path));
    }
    policy.Grant(mode, path);
  }
  return absl::OkStatus();
}

// A plugin that is installed as a folder, with its manifest, has the folder.
void GrantProgram(Writer& policy, const std::string& program) {
  const fs::path folder = fs::path(program).parent_path();
  std::error_code ignored;
  policy.Grant('x', fs::exists(folder / "manifest.json", ignored) ? folder.string() : program);
}

void AddLimits(Writer& policy, const SandboxPlan& plan, const SandboxDefaults& defaults) {
  const auto limit = [&](std::string_view name, std::uint64_t value) {
    policy.Add("limit", fmt::format("{} {}", name, value));
  };
  limit("data", plan.memory_bytes);
  limit("as", plan.memory_bytes * kAddressSpacePerMemory);
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
  AddLimits(policy, plan, defaults);
  GrantSystem(policy, network);
  if (plan.workspace == FileAccess::kRead) policy.Grant('x', facts.workspace);
  if (plan.workspace == FileAccess::kWrite) policy.Grant('w', facts.workspace);
  GrantProgram(policy, facts.program);
  TALON_RETURN_IF_ERROR(GrantPaths(policy, 'x', plan.read_paths));
  TALON_RETURN_IF_ERROR(GrantPaths(policy, 'w', plan.write_paths));
  policy.Grant('w', facts.data_directory);
  policy.Grant('w', facts.socket_directory);
  return policy.Finish();
}

absl::StatusOr<int> PolicyFile(std::string_view policy) {
  if (policy.size() > launch::kMaxPolicy) {
    return InvalidArgument(fmt::format("sandbox: arguments, environment and paths exceed {} bytes",
                                       launch::kMaxPolicy));
  }
  const int file = ::memfd_create("talon-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return ErrnoToStatus(errno, "sandbox: make a file in memory");
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const bool written =
      ::write(file, policy.data(), policy.size()) == static_cast<ssize_t>(policy.size()) &&
      ::fcntl(file, F_ADD_SEALS, kSeals) == 0;
  if (written) return file;
  const int error = errno;
  ::close(file);
  return ErrnoToStatus(error, "sandbox: write the policy");
}

}  // namespace talon::plugin
