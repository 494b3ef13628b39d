// SPDX-License-Identifier: Apache-2.0
// Streaming calls against real gRPC servers: grpc++ in this process and Python's grpcio.
#include <grpc/grpc.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>

#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "io/process.h"
#include "plugin/transport.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/plugin/call_rig.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using Stream = std::unique_ptr<PluginStream>;

constexpr std::string_view kServerStream = "/talon.v1.Plugin/ExecuteStream";
constexpr std::string_view kBidi = "/talon.v1.Plugin/Converse";

class TalkingService final : public v1::Plugin::Service {
 public:
  using Updates = grpc::ServerWriter<v1::ExecuteUpdate>;
  using Conversation = grpc::ServerReaderWriter<v1::PluginMessage, v1::HostMessage>;

  // As many updates as the arguments say, 64 KB each with tool "big"; "forever" until it is broken
  // off; "fail" after them all.
  grpc::Status ExecuteStream(grpc::ServerContext*, const v1::ExecuteRequest* request,
                             Updates* updates) override {
    const int count = request->tool() == "forever" ? 1 << 30 : std::stoi(request->arguments_json());
    v1::ExecuteUpdate update;
    for (int i = 0; i < count; ++i) {
      auto* progress = update.mutable_progress();
      progress->set_done(i);
      if (request->tool() == "big") progress->set_text(std::string(64 << 10, 'x'));
      if (!updates->Write(update)) break;
      ++sent;
    }
    Ended();
    if (request->tool() == "fail") return {grpc::StatusCode::ABORTED, "after all"};
    return grpc::Status::OK;
  }
  // Answers each message at once; the call "deaf" is not read further until Hear().
  grpc::Status Converse(grpc::ServerContext*, Conversation* conversation) override {
    v1::HostMessage in;
    while (conversation->Read(&in)) {
      if (in.call().tool() == "enough") return grpc::Status::OK;
      if (in.call().tool() == "deaf") {
        std::unique_lock lock(mutex_);
        change_.wait(lock, [this] { return hearing_; });
      }
      v1::PluginMessage out;
      out.mutable_question()->set_text("re: " + in.call().arguments_json());
      conversation->Write(out);
    }
    Ended();
    return grpc::Status::OK;
  }
  void Hear() {
    const std::lock_guard lock(mutex_);
    hearing_ = true;
    change_.notify_all();
  }
  void AwaitEnd() {
    std::unique_lock lock(mutex_);
    change_.wait(lock, [this] { return ended_; });
  }

  std::atomic<int> sent = 0;

 private:
  void Ended() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    change_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable change_;
  bool hearing_ = false;  // guarded by mutex_
  bool ended_ = false;    // guarded by mutex_
};

std::string Said(const std::string& text, const std::string& tool = "") {
  v1::HostMessage message;
  message.mutable_call()->set_tool(tool);
  message.mutable_call()->set_arguments_json(text);
  return message.SerializeAsString();
}

std::string Heard(const std::string& bytes) {
  v1::PluginMessage message;
  return message.ParseFromString(bytes) ? message.question().text() : "unreadable";
}

class StreamTest : public testing::Test {
 protected:
  StreamTest() {
    grpc_init();  // never undone: the library's own shutdown may wait 10 s for one of its threads
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    auto connected = loop_.RunUntilDone(ConnectUnix(loop_, path_, {}, Within(10s)));
    transport_ = *std::move(connected);
  }
  ~StreamTest() override {
    service_.Hear();
    transport_.reset();
    server_->Shutdown(std::chrono::system_clock::now());
    (void)loop_.RunUntilDone([]() -> io::Task<bool> { co_return true; }());
  }
  absl::Status Write(PluginStream& stream, std::string message) {
    return loop_.RunUntilDone(stream.Write(std::move(message)));
  }
  absl::StatusOr<std::optional<std::string>> Read(PluginStream& stream) {
    return loop_.RunUntilDone(stream.Read());
  }
  Stream OpenServerStream(const std::string& tool, int count, CallContext context = {}) {
    auto stream = *transport_->Open(kServerStream, std::move(context));
    EXPECT_TRUE(Write(*stream, Request(tool, std::to_string(count))).ok());
    stream->CloseWrites();
    return stream;
  }
  void Wait(std::chrono::milliseconds time) {
    (void)loop_.RunUntilDone(loop_.SleepUntil(std::chrono::steady_clock::now() + time, {}));
  }

  io::Loop loop_;
  test::TempFolder folder_{test::Where::kMemory};
  const std::string path_ = folder_ / "s";
  TalkingService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<PluginTransport> transport_;
};

TEST_F(StreamTest, ServerStreamToItsEnd) {
  for (const int count : {0, 1, 1000}) {
    const auto stream = OpenServerStream("small", count);
    for (int i = 0; i < count; ++i) {
      const auto bytes = Read(*stream);
      ASSERT_TRUE(bytes.ok() && bytes->has_value()) << bytes.status();
      v1::ExecuteUpdate update;
      ASSERT_TRUE(update.ParseFromString(**bytes));
      EXPECT_EQ(update.progress().done(), i);
    }
    EXPECT_EQ(*Read(*stream), std::nullopt);
    EXPECT_EQ(*Read(*stream), std::nullopt);
  }
  EXPECT_EQ(transport_->calls_in_flight(), 0U);
}

TEST_F(StreamTest, AnErrorComesAfterTheMessages) {
  const auto stream = OpenServerStream("fail", 2);
  EXPECT_TRUE(Read(*stream).ok());
  EXPECT_TRUE(Read(*stream).ok());
  const auto end = Read(*stream);
  EXPECT_EQ(end.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Message(end.status()), "after all");
}

TEST_F(StreamTest, BidiMessagesOverlap) {
  const auto stream = *transport_->Open(kBidi, {});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Write(*stream, Said(std::to_string(i))).ok());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Heard(**Read(*stream)), "re: " + std::to_string(i));
  ASSERT_TRUE(Write(*stream, Said("last")).ok());
  stream->CloseWrites();
  stream->CloseWrites();
  EXPECT_EQ(Write(*stream, Said("too late")).code(), absl::StatusCode::kFailedPrecondition);
  for (int i = 50; i < 100; ++i) EXPECT_EQ(Heard(**Read(*stream)), "re: " + std::to_string(i));
  EXPECT_EQ(Heard(**Read(*stream)), "re: last");
  EXPECT_EQ(*Read(*stream), std::nullopt);
}

TEST_F(StreamTest, OneReadsWhileAnotherWrites) {
  const bool all = loop_.RunUntilDone([](io::Loop* loop, PluginTransport* to) -> io::Task<bool> {
    const auto stream = *to->Open(kBidi, Within(30s));
    io::Nursery writers(*loop);
    writers.Spawn([](PluginStream* out) -> io::Task<void> {
      for (int i = 0; i < 200; ++i) (void)co_await out->Write(Said(std::string(10'000, 'x')));
      out->CloseWrites();
    }(stream.get()));
    int heard = 0;
    while (true) {
      const auto message = co_await stream->Read();
      if (!message.ok() || !*message) break;
      if (Heard(**message).size() == 10'004) ++heard;
    }
    co_await writers.Join();
    co_return heard == 200;
  }(&loop_, transport_.get()));
  EXPECT_TRUE(all);
}

TEST_F(StreamTest, APeerMayEndFirst) {
  const auto stream = *transport_->Open(kBidi, {});
  ASSERT_TRUE(Write(*stream, Said("", "enough")).ok());
  EXPECT_EQ(*Read(*stream), std::nullopt);
  EXPECT_EQ(Write(*stream, Said("more")).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StreamTest, ASlowReaderSlowsThePlugin) {
  constexpr int kCount = 1000;  // of 64 KB each
  const auto stream = OpenServerStream("big", kCount);
  ASSERT_TRUE(Read(*stream).ok());
  Wait(100ms);
  const int before = service_.sent;
  EXPECT_LT(before, 100);
  // Other calls go on meanwhile.
  EXPECT_EQ(*loop_.RunUntilDone(transport_->Call("/talon.v1.Plugin/ExecuteStream",
                                                 Request("small", "1"), Within(10s))),
            std::string("\x0a\0", 2));
  for (int i = 1; i < kCount; ++i) ASSERT_TRUE(Read(*stream).value().has_value()) << i;
  EXPECT_EQ(*Read(*stream), std::nullopt);
}

TEST_F(StreamTest, ADeafPluginSlowsTheWriter) {
  const auto stream = *transport_->Open(kBidi, Within(30s));
  ASSERT_TRUE(Write(*stream, Said("", "deaf")).ok());
  const int written = loop_.RunUntilDone(
      [](io::Loop* loop, PluginStream* to, TalkingService* service) -> io::Task<int> {
        int count = 0;
        bool stuck = false;
        io::Nursery writers(*loop);
        writers.Spawn([](PluginStream* out, int* done) -> io::Task<void> {
          while (*done < 100 && (co_await out->Write(Said(std::string(1'000'000, 'x')))).ok())
            ++*done;
        }(to, &count));
        (void)co_await loop->SleepUntil(std::chrono::steady_clock::now() + 100ms, {});
        stuck = count < 20;
        const int before = count;
        service->Hear();
        for (int i = 0; i < 101; ++i) (void)co_await to->Read();
        co_await writers.Join();
        co_return stuck&& count == 100 ? before : -1;
      }(&loop_, stream.get(), &service_));
  EXPECT_GE(written, 0);
}

TEST_F(StreamTest, DeadlineAndCancellationEndBothSides) {
  {
    const auto stream = OpenServerStream("forever", 0, Within(100ms));
    absl::Status end;
    while (end.ok()) end = Read(*stream).status();
    EXPECT_EQ(end.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(Write(*stream, "").code(), absl::StatusCode::kDeadlineExceeded);
    service_.AwaitEnd();
  }
  CancelSource source;
  CallContext context;
  context.cancel = source.token();
  const auto stream = *transport_->Open(kBidi, context);
  loop_.Post([&] { source.Cancel(Cancelled("enough")); });
  EXPECT_EQ(Message(Read(*stream).status()), "enough");
  EXPECT_EQ(Message(Write(*stream, Said("x"))), "enough");
  EXPECT_EQ(Message(transport_->Open(kBidi, context).status()), "enough");
  EXPECT_EQ(transport_->calls_in_flight(), 0U);
}

TEST_F(StreamTest, DroppingAStreamResetsIt) {
  auto stream = OpenServerStream("forever", 0);
  ASSERT_TRUE(Read(*stream).ok());
  stream.reset();
  service_.AwaitEnd();
  EXPECT_EQ(transport_->calls_in_flight(), 0U);
  EXPECT_EQ(*Read(*OpenServerStream("small", 0)), std::nullopt);
}

TEST_F(StreamTest, ManyStreamsAtOnce) {
  const int good = loop_.RunUntilDone([](io::Loop* loop, PluginTransport* to) -> io::Task<int> {
    int count = 0;
    io::Nursery calls(*loop);
    for (int i = 0; i < 64; ++i) {
      calls.Spawn([](PluginTransport* transport, int number, int* good_count) -> io::Task<void> {
        const auto one = *transport->Open(kBidi, Within(60s));
        for (int round = 0; round < 20; ++round) {
          const std::string text = fmt::format("{} {}", number, round);
          if (!(co_await one->Write(Said(text))).ok()) co_return;
          const auto answer = co_await one->Read();
          if (!answer.ok() || !*answer || Heard(**answer) != "re: " + text) co_return;
        }
        one->CloseWrites();
        const auto end = co_await one->Read();
        if (end.ok() && !*end) ++*good_count;
      }(to, i, &count));
    }
    co_await calls.Join();
    co_return count;
  }(&loop_, transport_.get()));
  EXPECT_EQ(good, 64);
  EXPECT_EQ(transport_->calls_in_flight(), 0U);
}

TEST_F(StreamTest, UnaryCallsRefuseStreams) {
  const auto two =
      loop_.RunUntilDone(transport_->Call(kServerStream, Request("small", "2"), Within(10s)));
  EXPECT_EQ(ReasonOf(two.status()), ErrorReason::kPluginMisbehaved) << two.status();
  const auto none =
      loop_.RunUntilDone(transport_->Call(kServerStream, Request("small", "0"), Within(10s)));
  EXPECT_EQ(ReasonOf(none.status()), ErrorReason::kPluginMisbehaved) << none.status();
}

TEST_F(StreamTest, TheServersFarewellLetsAStreamEnd) {
  const auto stream = *transport_->Open(kBidi, {});
  ASSERT_TRUE(Write(*stream, Said("one")).ok());
  EXPECT_EQ(Heard(**Read(*stream)), "re: one");
  std::thread stopping([this] { server_->Shutdown(); });  // GOAWAY; waits for the call
  while (transport_->alive()) Wait(1ms);
  EXPECT_EQ(transport_->Open(kBidi, {}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(Write(*stream, Said("two")).ok());
  EXPECT_EQ(Heard(**Read(*stream)), "re: two");
  stream->CloseWrites();
  EXPECT_EQ(*Read(*stream), std::nullopt);
  stopping.join();
}

TEST_F(StreamTest, PythonServer) {
  if (std::system("/usr/bin/python3 -c 'import grpc' 2>/dev/null") != 0) {
    GTEST_SKIP() << "/usr/bin/python3 has no grpc (Debian package python3-grpcio)";
  }
  const std::string path = folder_ / "python";
  io::SpawnOptions options;
  options.program = "/usr/bin/python3";
  options.args = {TALON_PYTHON_SERVER, path};
  auto process = io::Spawn(loop_, options);
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_EQ(loop_.RunUntilDone((*process)->ReadStdout()).value_or(""), "ready\n");
  auto connected = loop_.RunUntilDone(ConnectUnix(loop_, path, {}, Within(10s)));
  ASSERT_TRUE(connected.ok()) << connected.status();
  const auto counting = *(*connected)->Open("/x/Count", Within(10s));
  ASSERT_TRUE(Write(*counting, "300").ok());
  counting->CloseWrites();
  for (int i = 0; i < 300; ++i) ASSERT_EQ(*Read(*counting), std::to_string(i));
  EXPECT_EQ(*Read(*counting), std::nullopt);
  const auto talk = *(*connected)->Open("/x/Talk", Within(10s));
  for (const std::string text : {"a", "", "c"}) {
    ASSERT_TRUE(Write(*talk, text).ok());
    EXPECT_EQ(*Read(*talk), "re: " + text);
  }
  // Dying in the middle.
  (*process)->Signal(SIGKILL);
  EXPECT_EQ(ReasonOf(Read(*talk).status()), ErrorReason::kPluginCrashed);
  EXPECT_FALSE((*connected)->alive());
  EXPECT_EQ(Write(*talk, "x").code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace talon::plugin
