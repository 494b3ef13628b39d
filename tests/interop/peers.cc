// SPDX-License-Identifier: Apache-2.0
#include "tests/interop/peers.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/status.h"
#include "plugin/connect.h"
#include "plugin/handshake.h"

namespace talon::plugin {

std::string MissingGo() {
  return std::filesystem::exists(TALON_GO_PEERS "/talon_plugin")
             ? ""
             : "skipped: the Go peers are not built (tests/interop/go/build.sh needs Go 1.24)";
}

std::string MissingPython() {
  static const bool there =
      std::system("/usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null") == 0;
  return there ? "" : "skipped: /usr/bin/python3 has no grpc or no protobuf";
}

void AddPythonStubs(std::map<std::string, Secret>& env) {
  env["PYTHONPATH"] = Secret(TALON_PYTHON_STUBS);
  env["PYTHONDONTWRITEBYTECODE"] = Secret("1");
}

CallContext Within(std::chrono::milliseconds time) {
  CallContext context;
  context.deadline = std::chrono::steady_clock::now() + time;
  return context;
}

Peer::Peer(io::Loop& loop, LaunchSpec spec) : loop_(loop), spec_(std::move(spec)) {
  spec_.run_directory = folder_ / "r";
  spec_.data_directory = folder_ / "data";
}

Peer::~Peer() {
  transport_.reset();
  if (process_ != nullptr) process_->Signal(SIGKILL);
  process_.reset();
  (void)loop_.RunUntilDone([]() -> io::Task<bool> { co_return true; }());
}

absl::Status Peer::Start() {
  TALON_ASSIGN_OR_RETURN(socket_directory_, MakeDirectoriesFor(spec_));
  std::optional<TlsIdentity> identity;
  if (spec_.mtls == Mtls::kRequired) {
    TALON_ASSIGN_OR_RETURN(identity, MakeTlsIdentity());
  }
  TALON_ASSIGN_OR_RETURN(
      process_, io::Spawn(loop_, MakeSpawnOptions(spec_, socket_directory_,
                                                  identity ? identity->certificate_pem : "")));
  std::string line;
  while (line.find('\n') == std::string::npos) {
    TALON_ASSIGN_OR_RETURN(const std::string bytes, loop_.RunUntilDone(process_->ReadStdout()));
    if (bytes.empty()) {
      return Unavailable("it ended: " + loop_.RunUntilDone(process_->ReadStderr()).value_or(""));
    }
    line += bytes;
  }
  TALON_ASSIGN_OR_RETURN(Handshake handshake,
                         ParseHandshake(line.substr(0, line.find('\n')), MakeOffer(spec_)));
  TALON_ASSIGN_OR_RETURN(transport_, loop_.RunUntilDone(ConnectPlugin(
                                         loop_, std::move(handshake),
                                         {spec_, options_, std::move(identity), process_->pid()},
                                         Within(std::chrono::seconds(20)))));
  return absl::OkStatus();
}

}  // namespace talon::plugin
