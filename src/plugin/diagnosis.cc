// SPDX-License-Identifier: Apache-2.0
#include "plugin/diagnosis.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/text.h"
#include "plugin/h2/wire.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kHeadBytes = 256;  // what the kernel itself reads of a program

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

std::string DescribeContent(std::string_view head) {
  if (head.starts_with("#!")) {
    std::string_view line = head.substr(2, head.find('\n') - 2);
    line = TrimSpace(line);
    const std::string interpreter(line.substr(0, line.find_first_of(" \t\r")));
    const bool there = ::access(interpreter.c_str(), X_OK) == 0;
    return fmt::format("script of {}{}", h2::CleanText(line, kHeadBytes),
                       there ? "" : " (missing)");
  }
  Elf64_Ehdr elf{};
  if (head.starts_with(ELFMAG) && head.size() >= offsetof(Elf64_Ehdr, e_version)) {
    std::memcpy(&elf, head.data(), std::min(head.size(), sizeof(elf)));
    const bool own = elf.e_machine == kOwnMachine;
    return fmt::format("program for {}{}", MachineName(elf.e_machine),
                       own ? "" : fmt::format(" (this machine: {})", MachineName(kOwnMachine)));
  }
  return head.empty() ? "empty or unreadable" : "neither a program nor a script with '#!'";
}

}  // namespace

std::string DescribeProgram(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fmt::format("{}: {}", path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return fmt::format("{}: not a regular file", path);
  const bool executable = ::access(path.c_str(), X_OK) == 0;
  return fmt::format("{}: mode {:04o}{}, owner {}, {}", path, info.st_mode & 07777U,
                     executable ? "" : " (not executable)", info.st_uid,
                     DescribeContent(ReadHead(path)));
}

}  // namespace talon::plugin
