// SPDX-License-Identifier: Apache-2.0
// Every stack a plugin may be built on times everything a call may be. Prints one table.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <set>

#include "base/status.h"
#include "io/nursery.h"
#include "plugin/contract.h"
#include "plugin/go_plugin.h"
#include "talon/v1/plugin.pb.h"
#include "tests/interop/peers.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kStream = "/talon.v1.Plugin/ExecuteStream";
constexpr std::string_view kConverse = "/talon.v1.Plugin/Converse";

std::string Request(const std::string& tool, const std::string& arguments = "") {
  v1::ExecuteRequest request;
  request.set_call_id("call_1");
  request.set_tool(tool);
  request.set_arguments_json(arguments);
  return request.SerializeAsString();
}

std::string ContentOf(const absl::StatusOr<std::string>& bytes) {
  v1::ExecuteResponse response;
  if (!bytes.ok()) return StatusText(bytes.status());
  return response.ParseFromString(*bytes) ? response.content() : "unreadable";
}

// What the SDK wants before any call; others do not serve it.
void Configure(io::Loop& loop, Peer& peer) {
  v1::ConfigureRequest request;
  request.set_config_json("{}");
  (void)loop.RunUntilDone(
      peer.transport().Call(kConfigureMethod, request.SerializeAsString(), Within(10s)));
}

// What a cell says; "ok" when all is well.
using Cell = std::function<std::string(io::Loop&, Peer&)>;

std::string Expect(bool good, std::string_view otherwise) {
  return good ? "ok" : std::string(otherwise);
}

std::string Said(const std::string& text) {
  return R"({"text":")" + text + R"("})";
}

std::string Unary(io::Loop& loop, Peer& peer) {
  const std::string said = Said("naïve");
  const auto answer =
      loop.RunUntilDone(peer.transport().Call(kExecuteMethod, Request("echo", said), Within(10s)));
  return Expect(ContentOf(answer) == said, ContentOf(answer));
}

std::string Megabyte(io::Loop& loop, Peer& peer) {
  const std::string large = Said(std::string(1 << 20, 'x'));
  const std::string content = ContentOf(loop.RunUntilDone(
      peer.transport().Call(kExecuteMethod, Request("echo", large), Within(20s))));
  return Expect(content == large, content.substr(0, 60));
}

std::string ErrorText(io::Loop& loop, Peer& peer) {
  const auto answer =
      loop.RunUntilDone(peer.transport().Call(kExecuteMethod, Request("fail", "{}"), Within(10s)));
  v1::ExecuteResponse response;
  if (answer.ok() && response.ParseFromString(*answer)) {  // the SDK's way
    return Expect(response.error() == "naïve: 100% of it", response.error());
  }
  const absl::Status& status = answer.status();
  return Expect(absl::IsAborted(status) && Message(status) == "naïve: 100% of it",
                StatusText(status));
}

std::string Deadline(io::Loop& loop, Peer& peer) {
  const absl::Status status =
      loop.RunUntilDone(peer.transport().Call(kExecuteMethod, Request("wait", "{}"), Within(100ms)))
          .status();
  return Expect(absl::IsDeadlineExceeded(status) && peer.transport().calls_in_flight() == 0,
                StatusText(status));
}

std::string Cancel(io::Loop& loop, Peer& peer) {
  CancelSource source;
  CallContext context = Within(10s);
  context.cancel = source.token();
  loop.Post([&] {
    loop.CallAt(std::chrono::steady_clock::now() + 20ms,
                [&source] { source.Cancel(Cancelled("enough")); });
  });
  const absl::Status status =
      loop.RunUntilDone(peer.transport().Call(kExecuteMethod, Request("wait", "{}"), context))
          .status();
  return Expect(Message(status) == "enough" && Unary(loop, peer) == "ok", StatusText(status));
}

std::string ServerStream(io::Loop& loop, Peer& peer) {
  constexpr int kCount = 500;
  auto stream = peer.transport().Open(kStream, Within(20s));
  if (!stream.ok()) return StatusText(stream.status());
  (void)loop.RunUntilDone((*stream)->Write(Request("count", std::to_string(kCount))));
  (*stream)->CloseWrites();
  for (int i = 0; i <= kCount; ++i) {
    const auto message = loop.RunUntilDone((*stream)->Read());
    if (!message.ok()) return StatusText(message.status());
    if (message->has_value() != (i < kCount)) return fmt::format("{} messages", i);
    v1::ExecuteUpdate update;
    if (i < kCount && (!update.ParseFromString(**message) || update.progress().done() != i)) {
      return "another message";
    }
  }
  return "ok";
}

std::string Bidi(io::Loop& loop, Peer& peer) {
  auto stream = peer.transport().Open(kConverse, Within(20s));
  if (!stream.ok()) return StatusText(stream.status());
  const auto say = [&](int number) {
    v1::HostMessage message;
    message.mutable_call()->set_arguments_json(std::to_string(number));
    return loop.RunUntilDone((*stream)->Write(message.SerializeAsString()));
  };
  for (int i = 0; i < 5; ++i) (void)say(i);
  for (int i = 0; i < 50; ++i) {
    if (absl::Status said = i < 45 ? say(i + 5) : absl::OkStatus(); !said.ok()) {
      return StatusText(said);
    }
    const auto bytes = loop.RunUntilDone((*stream)->Read());
    if (!bytes.ok() || !*bytes) return StatusText(bytes.status());
    v1::PluginMessage message;
    if (!message.ParseFromString(**bytes) ||
        message.question().text() != fmt::format("re: {}", i)) {
      return "another message";
    }
  }
  (*stream)->CloseWrites();
  const auto end = loop.RunUntilDone((*stream)->Read());
  return Expect(end.ok() && !*end, StatusText(end.status()));
}

std::string Many(io::Loop& loop, Peer& peer) {
  const int good = loop.RunUntilDone([](io::Loop* on, PluginTransport* to) -> io::Task<int> {
    int count = 0;
    io::Nursery calls(*on);
    for (int i = 0; i < 64; ++i) {
      calls.Spawn([](PluginTransport* transport, int number, int* good_count) -> io::Task<void> {
        const std::string text = Said(std::to_string(number));
        for (int round = 0; round < 5; ++round) {
          if (ContentOf(co_await transport->Call(kExecuteMethod, Request("echo", text),
                                                 Within(30s))) == text) {
            ++*good_count;
          }
        }
      }(to, i, &count));
    }
    co_await calls.Join();
    co_return count;
  }(&loop, &peer.transport()));
  return Expect(good == 64 * 5, fmt::format("{} of 320", good));
}

// The server says goodbye: the connection ends, later calls are refused, the process exits.
std::string Farewell(io::Loop& loop, Peer& peer) {
  bool closed = false;
  peer.transport().OnClosed([&closed] { closed = true; });
  auto answer = loop.RunUntilDone(peer.transport().Call(kShutdownMethod, "", Within(10s)));
  if (absl::IsUnimplemented(answer.status())) {
    answer = loop.RunUntilDone(peer.transport().Call(kGoPluginShutdown, "", Within(10s)));
  }
  if (!answer.ok() && !absl::IsUnavailable(answer.status())) return StatusText(answer.status());
  const auto exit = loop.RunUntilDone(peer.process().Wait(Within(10s)));
  if (!exit.ok() || exit->signal != 0) return "it did not exit";
  (void)loop.RunUntilDone(loop.SleepUntil(std::chrono::steady_clock::now() + 10ms, {}));
  if (!closed || peer.transport().alive()) return "the connection is open";
  const absl::Status later =
      loop.RunUntilDone(peer.transport().Call(kExecuteMethod, Request("echo"), Within(1s)))
          .status();
  return Expect(absl::IsUnavailable(later), StatusText(later));
}

const std::vector<std::pair<std::string, Cell>>& Columns() {
  static const std::vector<std::pair<std::string, Cell>> columns = {
      {"unary", Unary},       {"1 MB", Megabyte}, {"error", ErrorText},
      {"deadline", Deadline}, {"cancel", Cancel}, {"stream", ServerStream},
      {"bidi", Bidi},         {"64 calls", Many}, {"farewell", Farewell}};
  return columns;
}

struct Row {
  std::string name, missing;
  LaunchSpec spec;
  std::set<std::string> not_served = {};  // columns of which it knows nothing
};

// The same certificate as go-plugin would have, for a peer that cannot make one.
void GiveCertificate(LaunchSpec& spec) {
  const TlsIdentity identity = *MakeTlsIdentity();
  std::string base64;
  const std::string& pem = identity.certificate_pem;
  for (std::size_t at = pem.find('\n') + 1; pem[at] != '-'; ++at) {
    if (pem[at] != '\n' && pem[at] != '=') base64 += pem[at];
  }
  spec.mtls = Mtls::kRequired;
  spec.env["PEER_KEY"] = Secret(identity.key_pem);
  spec.env["PEER_CERT"] = Secret(identity.certificate_pem);
  spec.env["PEER_CERT_BASE64"] = Secret(base64);
}

std::vector<Row> Rows() {
  std::vector<Row> rows;
  LaunchSpec cpp{.name = "peer", .program = TALON_CPP_PEER};
  rows.push_back({"grpc++ sync, unix", "", cpp});
  LaunchSpec tcp = cpp;
  tcp.args = {"--tcp"};
  tcp.mtls = Mtls::kOff;
  rows.push_back({"grpc++ sync, tcp", "", tcp});
  LaunchSpec secure = cpp;
  GiveCertificate(secure);
  rows.push_back({"grpc++ sync, unix, mTLS", "", secure});
  secure.args = {"--tcp"};
  rows.push_back({"grpc++ sync, tcp, mTLS", "", secure});

  rows.push_back(
      {"C++ SDK, unix", "", {.name = "peer", .program = TALON_SDK_PEER}, {"stream", "bidi"}});

  LaunchSpec go{.name = "peer", .program = TALON_GO_PEERS "/talon_plugin"};
  go.protocol = Protocol::kGoPlugin;
  go.cookie = {{"INTEROP_COOKIE", "interop"}};
  rows.push_back({"go-plugin, unix", MissingGo(), go});
  go.mtls = Mtls::kRequired;
  rows.push_back({"go-plugin, unix, AutoMTLS", MissingGo(), go});

  LaunchSpec python{.name = "peer", .program = "/usr/bin/python3"};
  python.args = {TALON_PYTHON_PEERS "/talon_peer.py"};
  AddPythonStubs(python.env);
  rows.push_back({"Python grpcio, unix", MissingPython(), python});
  python.args.push_back("--tcp");
  python.mtls = Mtls::kOff;
  rows.push_back({"Python grpcio, tcp", MissingPython(), python});
  return rows;
}

TEST(InteropTest, Matrix) {
  io::Loop loop;
  std::string table = fmt::format("{:27}", "");
  for (const auto& [column, cell] : Columns()) table += fmt::format("{:>9} ", column);
  table += '\n';
  for (const Row& row : Rows()) {
    table += fmt::format("{:27}", row.name);
    if (!row.missing.empty()) {
      table += row.missing + '\n';
      continue;
    }
    Peer peer(loop, row.spec);
    const absl::Status started = peer.Start();
    EXPECT_TRUE(started.ok()) << row.name << ": " << started;
    if (started.ok()) Configure(loop, peer);
    for (const auto& [column, cell] : Columns()) {
      if (row.not_served.contains(column)) {
        table += fmt::format("{:>9} ", "-");
        continue;
      }
      const std::string result = started.ok() ? cell(loop, peer) : "not started";
      EXPECT_EQ(result, "ok") << row.name << ": " << column;
      table += fmt::format("{:>9} ", result == "ok" ? "ok" : "FAILED");
    }
    table += '\n';
  }
  std::fputs(table.c_str(), stdout);
}

}  // namespace
}  // namespace talon::plugin
