// SPDX-License-Identifier: Apache-2.0
// The transport against real gRPC servers (grpc++ in this process, Python's grpcio) and against raw
// sockets that misbehave.
#include "plugin/transport.h"

#include <grpc/grpc.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/process.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/plugin/call_rig.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using Transport = std::unique_ptr<PluginTransport>;

// Execute answers by tool name; "block" waits for Release().
class EchoService final : public v1::Plugin::Service {
 public:
  grpc::Status Execute(grpc::ServerContext* context, const v1::ExecuteRequest* request,
                       v1::ExecuteResponse* response) override {
    if (request->tool() == "echo") response->set_content(request->arguments_json());
    if (request->tool() == "big") {
      response->set_content(std::string(std::stoul(request->arguments_json()), 'x'));
    }
    if (request->tool() == "fail") return {grpc::StatusCode::ABORTED, "naïve\n100% \x01"};
    if (request->tool() == "deadline") {
      const auto left = context->deadline() - std::chrono::system_clock::now();
      response->set_content(std::to_string(left / 1ms));
    }
    if (request->tool() == "block") {
      std::unique_lock lock(mutex_);
      released_.wait(lock, [this] { return open_; });
      cancelled_ = context->IsCancelled();
    }
    return grpc::Status::OK;
  }
  grpc::Status Shutdown(grpc::ServerContext*, const v1::ShutdownRequest*,
                        v1::ShutdownResponse*) override {
    return grpc::Status::OK;
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    released_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  bool open_ = false;       // guarded by mutex_
  bool cancelled_ = false;  // guarded by mutex_
};

class TransportTest : public testing::Test {
 protected:
  ~TransportTest() override {
    service_.Release();
    transport_.reset();
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    // What the end of the connection has posted.
    (void)loop_.RunUntilDone([]() -> io::Task<bool> { co_return true; }());
  }

  void Serve(int max_streams = 0) {
    // Never undone: the library's own shutdown may wait 10 s for one of its threads.
    grpc_init();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    if (max_streams > 0) builder.AddChannelArgument("grpc.max_concurrent_streams", max_streams);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    Connect();
  }
  void Connect() {
    auto connected = loop_.RunUntilDone(ConnectUnix(loop_, path_, {}, Within(10s)));
    ASSERT_TRUE(connected.ok()) << connected.status();
    transport_ = *std::move(connected);
  }
  absl::StatusOr<std::string> Call(std::string_view method, std::string request,
                                   CallContext context = {}) {
    return loop_.RunUntilDone(transport_->Call(method, std::move(request), std::move(context)));
  }
  absl::StatusOr<std::string> Execute(const std::string& tool, const std::string& arguments = "",
                                      CallContext context = {}) {
    auto bytes = Call("/talon.v1.Plugin/Execute", Request(tool, arguments), std::move(context));
    if (!bytes.ok()) return bytes.status();
    v1::ExecuteResponse response;
    if (!response.ParseFromString(*bytes)) return Internal("unreadable");
    return response.content();
  }

  io::Loop loop_;
  test::TempFolder folder_{test::Where::kMemory};
  const std::string path_ = folder_ / "s";
  EchoService service_;
  std::unique_ptr<grpc::Server> server_;
  Transport transport_;
};

TEST_F(TransportTest, SmallEmptyAndLargeMessages) {
  Serve();
  EXPECT_EQ(*Execute("echo", "hello"), "hello");
  EXPECT_EQ(*Call("/talon.v1.Plugin/Shutdown", ""), "");
  const std::string large(4'000'000, 'x');
  EXPECT_EQ(*Execute("echo", large), large);
  for (std::size_t size = 0; size < 70'000; size += 6'999) {
    EXPECT_EQ(Execute("big", std::to_string(size))->size(), size);
  }
}

TEST_F(TransportTest, ManyInFlightBeyondTheServersLimit) {
  Serve(/*max_streams=*/4);
  const bool all = loop_.RunUntilDone([](io::Loop* loop, PluginTransport* to) -> io::Task<bool> {
    int good = 0;
    io::Nursery calls(*loop);
    for (int i = 0; i < 300; ++i) {
      calls.Spawn([](PluginTransport* transport, int number, int* count) -> io::Task<void> {
        const auto answer = co_await transport->Call(
            "/talon.v1.Plugin/Execute", Request("echo", std::to_string(number)), Within(30s));
        v1::ExecuteResponse response;
        if (answer.ok() && response.ParseFromString(*answer) &&
            response.content() == std::to_string(number)) {
          ++*count;
        }
      }(to, i, &good));
    }
    co_await calls.Join();
    co_return good == 300 && to->calls_in_flight() == 0;
  }(&loop_, transport_.get()));
  EXPECT_TRUE(all);
}

TEST_F(TransportTest, StatusesComeThrough) {
  Serve();
  const auto failed = Execute("fail");
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Message(failed.status()), "naïve 100%  ");
  EXPECT_EQ(Call("/no.such.Service/Method", "").status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(TransportTest, TooLargeAnswersLeaveTheConnectionUsable) {
  Serve();
  EXPECT_EQ(Execute("big", "5000000").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*Execute("echo", "still here"), "still here");
}

TEST_F(TransportTest, DeadlinesAreSentAndKept) {
  Serve();
  const auto left = Execute("deadline", "", Within(20s));
  ASSERT_TRUE(left.ok());
  EXPECT_GT(std::stol(*left), 15'000);
  EXPECT_LE(std::stol(*left), 20'001);
  EXPECT_EQ(Execute("block", "", Within(20ms)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Execute("echo", "", Within(-1ms)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(transport_->calls_in_flight(), 0U);
  EXPECT_EQ(*Execute("echo", "x"), "x");
}

TEST_F(TransportTest, Cancellation) {
  Serve();
  CancelSource source;
  CallContext context;
  context.cancel = source.token();
  loop_.Post([&] {
    loop_.CallAt(std::chrono::steady_clock::now() + 10ms,
                 [&] { source.Cancel(Cancelled("enough")); });
  });
  const auto result = Execute("block", "", context);
  EXPECT_EQ(Message(result.status()), "enough");
  EXPECT_EQ(Message(Execute("echo", "", context).status()), "enough");
}

TEST_F(TransportTest, AnIdleConnectionWakesNobody) {
  Serve();
  ASSERT_TRUE(Execute("echo", "x", Within(30s)).ok());
  const auto switches = loop_.RunUntilDone([](io::Loop* loop) -> io::Task<long> {
    rusage before{};
    rusage after{};
    const auto now = std::chrono::steady_clock::now();
    (void)co_await loop->SleepUntil(now + 50ms, {});  // what the call left behind
    getrusage(RUSAGE_THREAD, &before);
    (void)co_await loop->SleepUntil(now + 550ms, {});
    getrusage(RUSAGE_THREAD, &after);
    co_return after.ru_nvcsw - before.ru_nvcsw;
  }(&loop_));
  EXPECT_LE(switches, 1);  // the end of the measurement itself
}

TEST_F(TransportTest, OnlyTheExpectedProcessMayListen) {
  Serve();
  const auto same = loop_.RunUntilDone(ConnectUnix(loop_, path_, {}, Within(10s), getpid()));
  EXPECT_TRUE(same.ok()) << same.status();
  const auto other = loop_.RunUntilDone(ConnectUnix(loop_, path_, {}, Within(10s), getppid()));
  EXPECT_EQ(other.status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(TransportTest, BadPathsAreSaid) {
  const auto connect = [&](const std::string& path) {
    return loop_.RunUntilDone(ConnectUnix(loop_, path, {}, Within(1s))).status().code();
  };
  EXPECT_EQ(connect(folder_ / "missing"), absl::StatusCode::kNotFound);
  EXPECT_EQ(connect(std::string(200, 'x')), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(connect(""), absl::StatusCode::kInvalidArgument);
}

// A peer of raw bytes.
class RawPeerTest : public TransportTest {
 protected:
  RawPeerTest() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    listen(listener_, 1);
  }
  ~RawPeerTest() override {
    if (peer_.joinable()) peer_.join();
    close(listener_);
  }
  // Accepts, sends `bytes`, and runs `then` with the connection before it is closed.
  void Play(std::string bytes, std::function<void(int)> then = [](int) {}) {
    peer_ = std::thread([this, bytes = std::move(bytes), then = std::move(then)] {
      const int connection = accept(listener_, nullptr, nullptr);
      (void)send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      then(connection);
      close(connection);
    });
  }
  absl::Status TryConnect(std::chrono::milliseconds time) {
    auto connected = loop_.RunUntilDone(ConnectUnix(loop_, path_, {}, Within(time)));
    if (connected.ok()) transport_ = *std::move(connected);
    return connected.status();
  }
  static void ReadUntilClosed(int connection) {
    char buffer[4096];
    while (recv(connection, buffer, sizeof(buffer), 0) > 0) {
    }
  }

  static constexpr std::string_view kSettings{"\0\0\0\4\0\0\0\0\0", 9};
  int listener_ = -1;
  std::thread peer_;
};

TEST_F(RawPeerTest, ClosesAtOnce) {
  Play("");
  const absl::Status status = TryConnect(10s);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kPluginCrashed) << status;
}

TEST_F(RawPeerTest, SpeaksSomethingElse) {
  Play("HTTP/1.1 400 Bad Request\r\n\r\n", ReadUntilClosed);
  const absl::Status status = TryConnect(10s);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kPluginMisbehaved) << status;
}

TEST_F(RawPeerTest, SaysNothing) {
  Play("", ReadUntilClosed);
  EXPECT_EQ(TryConnect(30ms).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(RawPeerTest, EndsDuringCalls) {
  Play(std::string(kSettings), [](int connection) {
    char buffer[4096];
    std::string seen;
    // Until the request's body has come; then the end.
    while (seen.find("marker") == std::string::npos) {
      const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
      if (count <= 0) return;
      seen.append(buffer, static_cast<std::size_t>(count));
    }
  });
  ASSERT_TRUE(TryConnect(10s).ok());
  bool closed = false;
  transport_->OnClosed([&] { closed = true; });
  const auto result = Call("/x/y", "marker");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(result.status()), ErrorReason::kPluginCrashed);
  EXPECT_TRUE(closed);
  EXPECT_FALSE(transport_->alive());
  EXPECT_EQ(ReasonOf(Call("/x/y", "").status()), ErrorReason::kPluginCrashed);
}

TEST_F(RawPeerTest, ReadsNothing) {
  std::mutex held;
  held.lock();
  Play(std::string(kSettings), [&](int) { const std::lock_guard wait(held); });
  ASSERT_TRUE(TryConnect(10s).ok());
  const std::string large(4'000'000, 'x');
  EXPECT_EQ(Call("/x/y", large, Within(50ms)).status().code(), absl::StatusCode::kDeadlineExceeded);
  transport_.reset();
  held.unlock();
}

TEST_F(RawPeerTest, DestructionEndsCallsInFlight) {
  Play(std::string(kSettings), ReadUntilClosed);
  ASSERT_TRUE(TryConnect(10s).ok());
  loop_.Post([this] { transport_.reset(); });
  const auto result = Call("/x/y", "x");
  EXPECT_EQ(ReasonOf(result.status()), ErrorReason::kPluginCrashed);
}

TEST_F(TransportTest, PythonServer) {
  if (std::system("/usr/bin/python3 -c 'import grpc' 2>/dev/null") != 0) {
    GTEST_SKIP() << "/usr/bin/python3 has no grpc (Debian package python3-grpcio)";
  }
  io::SpawnOptions options;
  options.program = "/usr/bin/python3";
  options.args = {TALON_PYTHON_SERVER, path_};
  auto process = io::Spawn(loop_, options);
  ASSERT_TRUE(process.ok()) << process.status();
  const auto ready = loop_.RunUntilDone((*process)->ReadStdout());
  ASSERT_EQ(ready.value_or(""), "ready\n");
  const auto connected =
      loop_.RunUntilDone(ConnectUnix(loop_, path_, {}, Within(10s), (*process)->pid()));
  ASSERT_TRUE(connected.ok()) << connected.status();
  const auto call = [&](std::string_view method, std::string request) {
    return loop_.RunUntilDone((*connected)->Call(method, std::move(request), Within(10s)));
  };
  EXPECT_EQ(*call("/x/Echo", "hello"), "hello");
  EXPECT_EQ(*call("/x/Echo", ""), "");
  EXPECT_EQ(*call("/x/Echo", std::string(3'000'000, 'x')), std::string(3'000'000, 'x'));
  const auto failed = call("/x/Fail", "because");
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Message(failed.status()), "naïve: because");
  EXPECT_EQ(call("/x/Missing", "").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(call("/x/Big", "5000000").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(std::stod(*call("/x/Remaining", "")), 5);
  (*process)->Signal(SIGKILL);
  EXPECT_EQ(ReasonOf(call("/x/Echo", "").status()), ErrorReason::kPluginCrashed);
}

}  // namespace
}  // namespace talon::plugin
