// SPDX-License-Identifier: Apache-2.0
#include "mcp/grants.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace talon::plugins::mcp {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFirstLine = 256;
constexpr std::string_view kEnv = "/usr/bin/env ";

bool Visible(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

// Where the links of `path` lead, as far as they can be seen: the first thing that is not there.
std::string FirstHidden(const std::string& path) {
  std::string at = path;
  for (int links = 0; links < 8; ++links) {
    std::error_code error;
    const fs::path target = fs::read_symlink(at, error);
    if (error) break;
    at = (fs::path(at).parent_path() / target).lexically_normal().string();
  }
  return at;
}

std::string Hidden(std::string_view what, const std::string& path, std::string_view options) {
  const std::string first = FirstHidden(path);
  const std::string leads = first == path ? "" : fmt::format(", which leads to '{}',", first);
  return fmt::format(
      "; {} '{}'{} is not there or not shown by the sandbox: name {} under {} of this plugin's "
      "entry",
      what, path, leads, first == path ? "it or a folder above it" : "the folder that has both",
      options);
}

// A script's "#!" line without the "#!"; empty for other programs.
std::string InterpreterLine(const std::string& program) {
  std::ifstream file(program, std::ios::binary);
  std::string line(kMaxFirstLine, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  if (!line.starts_with("#!")) return "";
  line = line.substr(2, line.find_first_of("\r\n") - 2);
  return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

std::string MissingInterpreter(const std::string& program, const ChildPlan& plan) {
  const std::string line = InterpreterLine(program);
  if (line.starts_with(kEnv)) {
    const std::string name = line.substr(kEnv.size(), line.find(' ', kEnv.size()) - kEnv.size());
    if (name.empty() || name[0] == '-' || !FindProgram(name, plan.env).empty()) return "";
    return fmt::format(
        "; '{}' runs by '{}', which is in no folder of PATH that the sandbox shows: put its folder "
        "into "
        "PATH under `env` of the server, and name it under `sandbox.read_paths` of this plugin's "
        "entry",
        program, name);
  }
  const std::string interpreter = line.substr(0, line.find(' '));
  if (interpreter.empty() || Visible(interpreter)) return "";
  return Hidden("the interpreter", interpreter, "`sandbox.read_paths`");
}

// The path in "/srv/data" and "--folder=/srv/data".
std::string PathIn(const std::string& argument) {
  const std::size_t at = argument.starts_with("--") ? argument.find("=/") : std::string::npos;
  return at == std::string::npos ? argument : argument.substr(at + 1);
}

bool OnlyLoopback() {
  std::ifstream devices("/proc/self/net/dev");
  bool any = false;
  for (std::string line; std::getline(devices, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    any = true;
    if (line.substr(0, colon).find_first_not_of(' ') == std::string::npos) continue;
    if (line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' ')) != "lo")
      return false;
  }
  return any;
}

// Asks the kernel for a connection to this machine itself: refused by nobody listening, or by the
// sandbox.
bool ConnectionsForbidden() {
  const sdk::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return errno == EACCES || errno == EPERM || errno == EAFNOSUPPORT;
  sockaddr_in here = {};
  here.sin_family = AF_INET;
  here.sin_port = htons(9);
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int done = connect(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof(here));
  return done != 0 && (errno == EACCES || errno == EPERM);
}

}  // namespace

std::string MissingNetwork() {
  if (!OnlyLoopback() && !ConnectionsForbidden()) return "";
  return "; there is no network in the sandbox: say `sandbox: {network: outbound}` in this "
         "plugin's entry";
}

std::string HiddenFolder(const std::string& path) {
  if (Visible(path)) return "";
  return Hidden("the folder", path, "`sandbox.read_paths` (or `write_paths`)").substr(2);
}

std::string MissingGrants(const ChildPlan& plan) {
  const std::string program = FindProgram(plan.command, plan.env);
  if (program.empty()) {
    if (plan.command.starts_with('/'))
      return Hidden("the program", plan.command, "`sandbox.read_paths`");
    return "; a program outside /usr is named by its full path, and its folder under "
           "`sandbox.read_paths` of this "
           "plugin's entry";
  }
  std::string out = MissingInterpreter(program, plan);
  for (const std::string& argument : plan.args) {
    const std::string path = PathIn(argument);
    if (path.starts_with('/') && !Visible(path)) {
      out += Hidden("the argument", path, "`sandbox.read_paths` (or `write_paths`)");
    }
  }
  return out + MissingNetwork();
}

}  // namespace talon::plugins::mcp
