// SPDX-License-Identifier: Apache-2.0
// The plugins of the interop tests: how each is started and what it cannot do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/loop.h"
#include "io/process.h"
#include "plugin/launch.h"
#include "plugin/transport.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {

// Why programs of this kind cannot run here; empty when they can.
std::string MissingGo();
std::string MissingPython();

// How Python finds the stubs of the contracts.
void AddPythonStubs(std::map<std::string, Secret>& env);

CallContext Within(std::chrono::milliseconds time);

// A plugin process whose connection is the test's own.
class Peer {
 public:
  Peer(io::Loop& loop, LaunchSpec spec);
  ~Peer();
  absl::Status Start();
  PluginTransport& transport() { return *transport_; }
  io::Process& process() { return *process_; }

 private:
  io::Loop& loop_;
  test::TempFolder folder_{test::Where::kMemory};
  LaunchSpec spec_;
  HostOptions options_;
  std::string socket_directory_;
  std::unique_ptr<io::Process> process_;
  std::unique_ptr<PluginTransport> transport_;
};

}  // namespace talon::plugin
