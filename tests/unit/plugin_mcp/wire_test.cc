// SPDX-License-Identifier: Apache-2.0
// The two wires against real processes and a real HTTP server, and a server's life over them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "mcp/http_wire.h"
#include "mcp/server.h"
#include "mcp/stdio_wire.h"
#include "tests/unit/plugins_bundled/fake_http_server.h"

namespace talon::plugins::mcp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Keeps what a wire tells and lets a test wait for it.
class Heard : public WireEvents {
 public:
  void OnMessage(Message message, std::optional<std::int64_t> stream) override {
    const std::lock_guard lock(mutex_);
    messages.push_back(std::move(message));
    streams.push_back(stream);
    changed_.notify_all();
  }
  void OnFailure(std::int64_t, WireFailure failure) override {
    const std::lock_guard lock(mutex_);
    failures.push_back(std::move(failure));
    changed_.notify_all();
  }
  void OnClosed(absl::Status why) override {
    const std::lock_guard lock(mutex_);
    closed = std::move(why);
    changed_.notify_all();
  }
  template <class Condition>
  bool WaitFor(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), condition);
  }

  std::vector<Message> messages;
  std::vector<std::optional<std::int64_t>> streams;
  std::vector<WireFailure> failures;
  std::optional<absl::Status> closed;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

StdioOptions Script(const std::string& text) {
  return {.server = "s",
          .child = {.command = "sh",
                    .args = {"-c", text},
                    .env = {"PATH=/usr/bin:/bin", "GIVEN=yes"},
                    .cwd = "/"},
          .limits = {},
          .grace = milliseconds(300)};
}

TEST(StdioWire, BannersAreTolerated) {
  Heard heard;
  const auto wire = MakeStdioWire(
      Script(R"(echo 'Welcome!'; echo; echo '{"jsonrpc":"2.0","method":"hello"}'; cat)"));
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.messages.size() == 1; }));
  ASSERT_TRUE(wire->Send({.text = R"({"jsonrpc":"2.0","method":"back"})"}).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.messages.size() == 2; }));
  EXPECT_EQ(heard.messages[1].method, "back");
  wire->Stop();
  EXPECT_FALSE(heard.closed) << "an end we asked for is no event";
}

TEST(StdioWire, AFloodOfGarbageEndsIt) {
  Heard heard;
  const auto wire = MakeStdioWire(Script("yes garbage"));
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.closed.has_value(); }));
  EXPECT_NE(Why(*heard.closed).find("no message"), std::string::npos);
}

TEST(StdioWire, AnEndlessLineEndsIt) {
  Heard heard;
  StdioOptions options = Script("yes | tr -d '\\n'");
  options.limits.max_message_bytes = 100'000;
  const auto wire = MakeStdioWire(options);
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.closed.has_value(); }));
  EXPECT_NE(Why(*heard.closed).find("more than 100000 bytes"), std::string::npos);
}

TEST(StdioWire, LastWordsAreTold) {
  Heard heard;
  const auto wire = MakeStdioWire(Script("echo no token given >&2; exit 3"));
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.closed.has_value(); }));
  EXPECT_NE(Why(*heard.closed).find("exited with code 3"), std::string::npos) << *heard.closed;
  EXPECT_NE(Why(*heard.closed).find("no token given"), std::string::npos) << *heard.closed;
}

TEST(StdioWire, AProgramThatIsNotThereIsNamed) {
  Heard heard;
  StdioOptions options = Script("");
  options.child.command = "no-such-program";
  EXPECT_NE(Why(MakeStdioWire(options)->Start(heard)).find("'no-such-program'"), std::string::npos);
}

TEST(StdioWire, WhatIgnoresEveryHintIsKilled) {
  Heard heard;
  const auto wire = MakeStdioWire(Script(R"(trap '' TERM; echo '{"jsonrpc":"2.0","method":"up"}'
                              while :; do sleep 1000 & wait; done)"));
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.messages.size() == 1; }));
  wire->Stop();  // would hang otherwise
}

// A wire with nothing to do sleeps: it does not eat the processor.
TEST(StdioWire, IsIdleWhenNothingHappens) {
  Heard heard;
  const auto wire = MakeStdioWire(Script("exec cat"));
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(wire->Send({.text = R"({"jsonrpc":"2.0","method":"a"})"}).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.messages.size() == 1; }));
  rusage before = {}, after = {};
  getrusage(RUSAGE_SELF, &before);
  Bell quiet;
  quiet.Wait(-1, Clock::now() + milliseconds(300));
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw, 50);
  EXPECT_LT(after.ru_utime.tv_usec + after.ru_stime.tv_usec +
                1'000'000 * (after.ru_utime.tv_sec + after.ru_stime.tv_sec -
                             before.ru_utime.tv_sec - before.ru_stime.tv_sec) -
                before.ru_utime.tv_usec - before.ru_stime.tv_usec,
            100'000);
}

TEST(StdioWire, AProcessThatDoesNotReadBlocksNobody) {
  Heard heard;
  StdioOptions options = Script("exec sleep 1000");
  options.limits.max_queued_bytes = 1u << 20;
  const auto wire = MakeStdioWire(options);
  ASSERT_TRUE(wire->Start(heard).ok());
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = wire->Send({.text = std::string(100'000, 'x')});
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status));
}

TEST(StdioWire, TheEnvironmentIsWhatWasGiven) {
  setenv("TALON_TEST_SECRET", "host-secret", 1);
  Heard heard;
  const auto wire = MakeStdioWire(Script(
      R"sh(printf '{"jsonrpc":"2.0","method":"%s"}\n' "$(env | cut -d= -f1 | sort | tr '\n' ' ')"; cat)sh"));
  ASSERT_TRUE(wire->Start(heard).ok());
  ASSERT_TRUE(heard.WaitFor([&] { return heard.messages.size() == 1; }));
  EXPECT_NE(heard.messages[0].method.find("GIVEN"), std::string::npos);
  EXPECT_EQ(heard.messages[0].method.find("TALON"), std::string::npos);
}

std::string Body(const std::string& request) {
  return request.substr(request.find("\r\n\r\n") + 4);
}

constexpr char kAnswer[] = R"({"jsonrpc":"2.0","id":1,"result":{"ok":true}})";

class HttpWireTest : public ::testing::Test {
 protected:
  void Serve(test::FakeHttpServer::Answer answer, HttpOptions options = {}) {
    peer_.emplace([this, answer](const std::string& request) {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      return answer(request);
    });
    options.server = "s";
    options.url = peer_->Url("/mcp");
    options.retry = milliseconds(1);
    wire_ = MakeHttpWire(std::move(options));
    ASSERT_TRUE(wire_->Start(heard_).ok());
  }
  void Send(const std::string& text = R"({"jsonrpc":"2.0","id":1,"method":"m"})") {
    ASSERT_TRUE(wire_->Send({.text = text, .request_id = 1}).ok());
  }
  std::vector<std::string> Requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  static std::string Respond(const std::string& status, const std::string& headers,
                             const std::string& body) {
    return "HTTP/1.1 " + status + "\r\nConnection: close\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::atomic<int> count_ = 0;  // of the peer's answers
  std::mutex mutex_;
  std::vector<std::string> requests_;
  Heard heard_;
  std::optional<test::FakeHttpServer> peer_;
  std::unique_ptr<Wire> wire_;
};

TEST_F(HttpWireTest, AnswersAsJsonAndAsEvents) {
  Serve([this](const std::string&) {
    if (count_++ == 0) return Respond("200 OK", "Content-Type: application/json\r\n", kAnswer);
    return Respond("200 OK", "Content-Type: text/event-stream\r\n",
                   "data: {\"jsonrpc\":\"2.0\",\"method\":\"note\"}\n\ndata: " +
                       std::string(kAnswer) + "\n\n");
  });
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 1; }));
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 3; }));
  EXPECT_EQ(heard_.messages[1].method, "note");
  EXPECT_EQ(heard_.streams[1], 1);
  EXPECT_NE(Requests()[0].find("Accept: application/json, text/event-stream"), std::string::npos);
}

TEST_F(HttpWireTest, TheSessionIsKeptAndEnded) {
  Serve([](const std::string& request) {
    if (request.starts_with("DELETE")) return Respond("200 OK", "", "");
    return Respond("200 OK", "Content-Type: application/json\r\nMcp-Session-Id: abc\r\n", kAnswer);
  });
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 1; }));
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 2; }));
  wire_->Stop();
  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].find("Mcp-Session-Id"), std::string::npos);
  EXPECT_NE(requests[1].find("Mcp-Session-Id: abc"), std::string::npos);
  EXPECT_TRUE(requests[2].starts_with("DELETE"));
}

TEST_F(HttpWireTest, AForgottenSessionIsTold) {
  Serve([this](const std::string&) {
    if (count_++ == 0) {
      return Respond("200 OK", "Content-Type: application/json\r\nMcp-Session-Id: a\r\n", kAnswer);
    }
    return Respond("404 Not Found", "Content-Type: application/json\r\n",
                   R"({"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"what?"}})");
  });
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 1; }));
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.failures.size() == 1; }));
  EXPECT_TRUE(heard_.failures[0].session_lost);
}

TEST_F(HttpWireTest, RefusalsSayWhatToDo) {
  Serve([this](const std::string&) {
    switch (count_++) {
      case 0:
        return Respond("401 Unauthorized", "WWW-Authenticate: Bearer scope=\"x\"\r\n", "");
      case 1:
        return Respond("302 Found", "Location: https://elsewhere.example/mcp\r\n", "");
      default:
        return Respond("500 Oh", "", "out of\ncheese");
    }
  });
  for (std::size_t i = 1; i <= 3; ++i) {
    Send();
    ASSERT_TRUE(heard_.WaitFor([&] { return heard_.failures.size() == i; }));
  }
  EXPECT_EQ(heard_.failures[0].challenge, "Bearer scope=\"x\"");
  EXPECT_TRUE(absl::IsUnauthenticated(heard_.failures[0].status));
  EXPECT_NE(Why(heard_.failures[1].status).find("https://elsewhere.example/mcp"),
            std::string::npos);
  EXPECT_EQ(Why(heard_.failures[2].status), "HTTP 500: out of cheese");
  EXPECT_EQ(Requests().size(), 3u) << "no redirect is followed";
}

TEST_F(HttpWireTest, AJsonErrorSaysMoreThanItsNumber) {
  Serve([](const std::string&) {
    return Respond("400 Bad Request", "Content-Type: application/json\r\n",
                   R"({"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"older"}})");
  });
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 1; }));
  EXPECT_EQ(heard_.messages[0].error.code, kUnsupportedVersion);
  EXPECT_EQ(heard_.messages[0].id, 1);
}

TEST_F(HttpWireTest, ABrokenStreamIsTakenUpAgain) {
  Serve([this](const std::string&) {
    if (count_++ == 0) {
      return Respond("200 OK", "Content-Type: text/event-stream\r\n", "id: 5\nretry: 1\ndata:\n\n");
    }
    return Respond("200 OK", "Content-Type: text/event-stream\r\n",
                   "id: 6\ndata: " + std::string(kAnswer) + "\n\n");
  });
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 1; }));
  const auto requests = Requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_TRUE(requests[1].starts_with("GET"));
  EXPECT_NE(requests[1].find("Last-Event-ID: 5"), std::string::npos);
}

TEST_F(HttpWireTest, AStreamThatNeverAnswersIsGivenUp) {
  HttpOptions options;
  options.max_resumptions = 3;
  Serve(
      [this](const std::string&) {
        if (count_++ == 0) {
          return Respond("200 OK", "Content-Type: text/event-stream\r\n", "id: 1\ndata:\n\n");
        }
        return Respond("200 OK", "Content-Type: text/event-stream\r\n", "");
      },
      options);
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.failures.size() == 1; }));
  EXPECT_LE(Requests().size(), 6u);
}

TEST_F(HttpWireTest, AnAnswerIsBounded) {
  HttpOptions options;
  options.limits.max_message_bytes = 1'000;
  Serve(
      [](const std::string&) {
        return Respond("200 OK", "Content-Type: application/json\r\n", std::string(5'000, ' '));
      },
      options);
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.failures.size() == 1; }));
  EXPECT_NE(Why(heard_.failures[0].status).find("more than 1000 bytes"), std::string::npos);
}

TEST_F(HttpWireTest, NothingOvertakesANotice) {
  Serve([](const std::string& request) {
    if (Body(request).find("initialized") != std::string::npos) {
      return Respond("202 Accepted", "", "");
    }
    return Respond("200 OK", "Content-Type: application/json\r\n", kAnswer);
  });
  ASSERT_TRUE(
      wire_->Send({.text = R"({"jsonrpc":"2.0","method":"notifications/initialized"})"}).ok());
  Send();
  ASSERT_TRUE(heard_.WaitFor([&] { return heard_.messages.size() == 1; }));
  EXPECT_NE(Body(Requests()[0]).find("initialized"), std::string::npos);
}

// One server's life over a script: it answers, dies in the middle of a call, and is back.
constexpr char kMortal[] = R"py(
import json, os, sys
marker = sys.argv[1]
for line in sys.stdin:
    m = json.loads(line)
    if 'id' not in m: continue
    def say(**kw): print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], **kw}), flush=True)
    if m['method'] == 'initialize':
        say(result={'protocolVersion': '2025-11-25', 'capabilities': {'tools': {}},
                    'serverInfo': {'name': 'mortal', 'version': '1'}})
    elif m['method'] == 'tools/list':
        say(result={'tools': [{'name': 'work', 'inputSchema': {'type': 'object'}}]})
    elif m['method'] == 'tools/call':
        if not os.path.exists(marker):
            open(marker, 'w').close()
            os._exit(1)
        say(result={'content': [{'type': 'text', 'text': 'done'}]})
    else:
        say(error={'code': -32601, 'message': 'no'})
)py";

TEST(Server, DiesAndIsBack) {
  char folder[] = "/tmp/talon-mcp-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  ServerConfig config{.name = "s", .command = "python3"};
  config.args = {"-c", kMortal, std::string(folder) + "/marker"};
  Server server(config, {}, [] {});
  server.Start();
  ASSERT_TRUE(server.WaitSettled(Clock::now() + seconds(20)));
  ASSERT_EQ(server.offers().size(), 1u) << server.state().error;
  Caller caller;
  const Offer offer = server.offers().front();
  EXPECT_NE(server.Call(offer, Json::object(), caller).error.find("exited with code 1"),
            std::string::npos);
  // The call that was interrupted is not repeated; the next one waits for the new process.
  sdk::Result again = server.Call(offer, Json::object(), caller);
  EXPECT_EQ(again.content, "done") << again.error;
  EXPECT_EQ(server.offers().size(), 1u) << "its tools were never gone";
  std::filesystem::remove_all(folder);
}

TEST(Server, ABrokenOneSaysWhyAndOffersNothing) {
  ServerConfig config{.name = "s", .command = "sh"};
  config.args = {"-c", "echo kaputt >&2; exit 1"};
  Server server(config, {}, [] {});
  server.Start();
  ASSERT_TRUE(server.WaitSettled(Clock::now() + seconds(20)));
  EXPECT_EQ(server.state().condition, "broken");
  EXPECT_NE(server.state().error.find("kaputt"), std::string::npos) << server.state().error;
  EXPECT_TRUE(server.offers().empty());
}

}  // namespace
}  // namespace talon::plugins::mcp
