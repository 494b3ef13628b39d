// SPDX-License-Identifier: Apache-2.0
#include "plugin/diagnosis.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/text.h"
#include "plugin/h2/wire.h"
#include "plugin/launch.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kHeadBytes = 256;   // what the kernel itself reads of a program
constexpr std::size_t kMostHeaders = 64;  // of an ELF file
constexpr std::size_t kLongestPath = 4096;

#if defined(__x86_64__)
constexpr int kOwnMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr int kOwnMachine = EM_AARCH64;
#else
constexpr int kOwnMachine = EM_NONE;
#endif

std::string MachineName(int machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_386:
      return "i386";
    case EM_AARCH64:
      return "arm64";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("machine {}", machine);
  }
}

std::string ReadHead(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return "";
  char buffer[kHeadBytes];
  const ssize_t count = ::read(fd, buffer, sizeof(buffer));
  ::close(fd);
  return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : "";
}

bool IsThere(const std::string& program) {
  return ::access(program.c_str(), X_OK) == 0;
}

// As a plugin's PATH finds it.
bool IsInPath(const std::string& name) {
  for (std::string_view rest = kPluginPath; !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (IsThere(fmt::format("{}/{}", rest.substr(0, end), name))) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::string DescribeScript(std::string_view head) {
  const std::string_view line = TrimSpace(head.substr(2, head.find('\n') - 2));
  const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string interpreter(line.substr(0, end));
  const std::string argument(TrimSpace(line.substr(end)));
  std::string missing;
  if (!IsThere(interpreter)) {
    missing = " (missing)";
  } else if (interpreter.ends_with("/env") && argument.find_first_of(" /") == argument.npos &&
             !IsInPath(argument)) {
    missing = fmt::format(" ('{}' is not in {})", h2::CleanText(argument, kHeadBytes), kPluginPath);
  } else if (head.find("\r\n") != head.npos) {
    missing = " (its lines end with \\r\\n, which the interpreter's name then includes)";
  }
  return fmt::format("script of {}{}", h2::CleanText(line, kHeadBytes), missing);
}

// The loader an ELF program asks for, when it is not there: the reason behind "no such file".
std::string DescribeLoader(const std::string& path, const Elf64_Ehdr& elf) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return "";
  std::string loader;
  for (std::size_t i = 0; i < std::min<std::size_t>(elf.e_phnum, kMostHeaders); ++i) {
    Elf64_Phdr header{};
    const auto at = static_cast<off_t>(elf.e_phoff + i * sizeof(header));
    if (::pread(fd, &header, sizeof(header), at) != sizeof(header)) break;
    if (header.p_type != PT_INTERP || header.p_filesz > kLongestPath) continue;
    loader.resize(header.p_filesz);
    const ssize_t count =
        ::pread(fd, loader.data(), loader.size(), static_cast<off_t>(header.p_offset));
    loader.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    loader = loader.c_str();  // without its zero
    break;
  }
  ::close(fd);
  if (loader.empty() || IsThere(loader)) return "";
  return fmt::format(", its loader {} is missing", h2::CleanText(loader, kHeadBytes));
}

bool MayNotExecute(const std::string& path) {
  struct statvfs info{};
  return ::statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_NOEXEC) != 0;
}

std::string DescribeContent(const std::string& path, std::string_view head) {
  if (head.starts_with("#!")) return DescribeScript(head);
  Elf64_Ehdr elf{};
  if (head.starts_with(ELFMAG) && head.size() >= offsetof(Elf64_Ehdr, e_version)) {
    std::memcpy(&elf, head.data(), std::min(head.size(), sizeof(elf)));
    const bool own = elf.e_machine == kOwnMachine;
    const bool whole = own && head.size() >= sizeof(elf) && elf.e_phentsize == sizeof(Elf64_Phdr);
    return fmt::format("program for {}{}{}", MachineName(elf.e_machine),
                       own ? "" : fmt::format(" (this machine: {})", MachineName(kOwnMachine)),
                       whole ? DescribeLoader(path, elf) : "");
  }
  return head.empty() ? "empty or unreadable" : "neither a program nor a script with '#!'";
}

}  // namespace

std::string DescribeProgram(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fmt::format("{}: {}", path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return fmt::format("{}: not a regular file", path);
  const bool executable = ::access(path.c_str(), X_OK) == 0;
  return fmt::format("{}: mode {:04o}{}{}, owner {}, {}", path, info.st_mode & 07777U,
                     executable ? "" : " (not executable)",
                     MayNotExecute(path) ? " (its file system is mounted noexec)" : "", info.st_uid,
                     DescribeContent(path, ReadHead(path)));
}

}  // namespace talon::plugin
