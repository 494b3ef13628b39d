// SPDX-License-Identifier: Apache-2.0
// mockllm: a model provider that answers as a script says. See README.md.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/signals.h"
#include "script.h"
#include "server.h"

namespace {

using talon::mockllm::MockOptions;
using talon::mockllm::MockServer;
using talon::mockllm::ParseScript;
using talon::mockllm::Script;

struct Arguments {
  std::uint16_t port = 0;
  std::string script, port_file, mode;
  bool bench = false;
  talon::mockllm::BenchOptions bench_options;
};

int Fail(const absl::Status& error) {
  std::fprintf(stderr, "mockllm: %s\n", std::string(talon::Message(error)).c_str());
  return 1;
}

absl::StatusOr<Script> LoadScript(const Arguments& arguments) {
  std::string text = arguments.mode.empty() ? "" : "mode: " + arguments.mode + "\n";
  if (!arguments.script.empty()) {
    TALON_ASSIGN_OR_RETURN(std::string file, talon::ReadFile(arguments.script));
    text += file;
  }
  return ParseScript(text, std::filesystem::path(arguments.script).parent_path().string());
}

int Serve(const Arguments& arguments) {
  auto script = LoadScript(arguments);
  if (!script.ok()) return Fail(script.status());
  talon::io::Loop loop;
  auto signals = talon::io::WatchSignals(loop, {SIGTERM, SIGINT}, [&](int) { loop.Stop(); });
  MockOptions options;
  options.port = arguments.port;
  options.folder = std::filesystem::path(arguments.script).parent_path().string();
  if (arguments.bench) options.bench = arguments.bench_options;
  auto server = MockServer::Start(loop, std::move(options), *std::move(script));
  if (!server.ok()) return Fail(server.status());
  const std::string port = std::to_string((*server)->port());
  if (!arguments.port_file.empty()) {
    absl::Status written = talon::WriteFileAtomic(arguments.port_file, port + "\n");
    if (!written.ok()) return Fail(written);
  }
  std::printf("%s\n", port.c_str());
  std::fflush(stdout);
  loop.Run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const pid_t parent = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) return 0;
  talon::log::Configure(talon::log::Level::kOff, talon::log::Format::kText, nullptr);

  Arguments arguments;
  CLI::App app("A model provider that answers as a script says", "mockllm");
  app.add_option("--port", arguments.port, "TCP port on 127.0.0.1; 0 picks a free one");
  app.add_option("--script", arguments.script, "Script (YAML)");
  app.add_option("--mode", arguments.mode, "Mode without a script: echo, obedient, …");
  app.add_option("--port-file", arguments.port_file, "Write the port here once it listens");
  app.add_flag("--bench", arguments.bench, "Answer at the least cost, without a script");
  app.add_option("--tool", arguments.bench_options.tool, "With --bench: the tool to call");
  app.add_option("--args", arguments.bench_options.args, "With --bench: its arguments (JSON)");
  app.add_option("--tool-rounds", arguments.bench_options.rounds,
                 "With --bench: rounds of a turn that call the tool");
  app.add_option("--text", arguments.bench_options.text, "With --bench: the answer");
  CLI11_PARSE(app, argc, argv);
  return Serve(arguments);
}
