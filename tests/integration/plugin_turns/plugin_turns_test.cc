// SPDX-License-Identifier: Apache-2.0
// Whole turns over HTTP with plugins on both sides: a model that answers by rules and tools that
// tell their progress and ask the person.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"
#include "base/status.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/sse.h"
#include "tests/support/temp_folder.h"

namespace talon {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kConfig = R"(
gateway: {http: {port: 0}}
state: {durability: process}
models:
  providers:
    local: {api: plugin, plugin: rules, max_attempts: 1}
plugins:
  rules:
    plugin: MODEL_RULES
    config:
      rules:
        - {when: echo, say: "Let me see.", tool: t__echo, arguments: {text: "from the tool"}}
        - {when: mark, tool: t__mark, arguments: {name: "it"}}
        - when: steps
          tool: t__tell
          arguments: {script: [{progress: "one", done: 1, total: 2}, {result: "told"}]}
        - when: ask
          tool: t__talk
          arguments:
            script:
              - question: q
                text: "How many?"
                schema: '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
              - {hear: 1}
              - {result: "heard "}
        - when: order
          tool: t__talk_write
          arguments: {script: [{question: q, text: "Sure?"}, {hear: 1}, {result: "heard "}]}
        - {when: invoice, tool: t__pay, arguments: {to: "mallory", amount: 5}}
  t: {plugin: TEST_PLUGIN}
)";

class PluginTurnsTest : public testing::Test {
 protected:
  PluginTurnsTest() {
    std::string text = kConfig;
    for (const auto& [mark, path] : {std::pair("MODEL_RULES", TALON_MODEL_RULES),
                                     std::pair("TEST_PLUGIN", TALON_TEST_PLUGIN)}) {
      text.replace(text.find(mark), std::string(mark).size(), path);
    }
    Configure(text);
    client_ = io::MakeCurlClient(loop_, {});
    Start();
  }
  ~PluginTurnsTest() override { Stop(); }

  void Configure(const std::string& text) { std::ofstream(folder_ / "talon.yaml") << text; }
  std::string Read(const std::string& file) {
    std::ifstream in(folder_ / file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void Start() {
    const daemon::Paths paths{.home = folder_.path(),
                              .config = folder_ / "talon.yaml",
                              .plugins = folder_ / "no-bundled-plugins"};
    auto loaded = config::Load(paths.config, paths.config_missing,
                               [](const char*) -> const char* { return nullptr; });
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    daemon_ = std::make_unique<daemon::Daemon>(loop_, *std::move(loaded), paths);
    const absl::Status started = loop_.RunUntilDone(daemon_->Start());
    ASSERT_TRUE(started.ok()) << started;
  }
  void Stop() {
    if (daemon_ == nullptr) return;
    loop_.RunUntilDone([](daemon::Daemon* daemon) -> io::Task<int> {
      co_await daemon->Stop(std::chrono::milliseconds(0));
      co_return 0;
    }(daemon_.get()));
    daemon_.reset();
  }

  io::HttpRequest Request(const std::string& method, const std::string& path,
                          std::string body = "") {
    io::HttpRequest request;
    request.method = method;
    request.url = "http://127.0.0.1:" + std::to_string(daemon_->port()) + path;
    request.headers.Set("Authorization", "Bearer " + daemon_->token().Reveal());
    if (!body.empty()) request.headers.Set("Content-Type", "application/json");
    request.body = std::move(body);
    return request;
  }
  Json Fetch(const std::string& method, const std::string& path, std::string body = "") {
    auto response = loop_.RunUntilDone(client_->Fetch(Request(method, path, std::move(body)), {}));
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return Json();
    auto json = ParseJson(response->body, "answer");
    return json.ok() ? *json : Json();
  }

  // A turn's stream, read as far as is asked for.
  struct Watched {
    std::unique_ptr<io::HttpStream> stream;
    io::SseParser parser;
    std::vector<io::SseEvent> events;
    std::size_t next = 0;
    std::string turn;
  };
  void Say(const std::string& message, Watched& watched, const std::string& key = "") {
    io::HttpRequest request =
        Request("POST", "/v1/turns", R"({"session":"s","message":")" + message + "\"}");
    if (!key.empty()) request.headers.Set("Idempotency-Key", key);
    auto opened = loop_.RunUntilDone(client_->Open(std::move(request), {}));
    ASSERT_TRUE(opened.ok()) << opened.status();
    watched.stream = *std::move(opened);
    const auto start = Until(watched, "turn_start");
    ASSERT_TRUE(start);
    watched.turn = JsonString(*start, "turn");
  }
  std::optional<Json> Until(Watched& watched, const std::string& name) {
    return loop_.RunUntilDone([](Watched* w, std::string wanted) -> io::Task<std::optional<Json>> {
      while (true) {
        for (; w->next < w->events.size(); ++w->next) {
          if (w->events[w->next].event != wanted) continue;
          auto json = ParseJson(w->events[w->next++].data, "event");
          co_return json.ok() ? std::optional<Json>(*json) : std::nullopt;
        }
        auto piece = co_await w->stream->Read();
        if (!piece.ok() || piece->empty() || !w->parser.Feed(*piece, w->events).ok()) {
          co_return std::nullopt;
        }
      }
    }(&watched, name));
  }
  Json Reply(const Watched& watched, const Json& question, const std::string& body) {
    return Fetch("POST",
                 "/v1/turns/" + watched.turn + "/questions/" + JsonString(question, "question"),
                 body);
  }
  // The last answer's text.
  std::string Answered(Watched& watched) {
    const auto done = Until(watched, "done");
    return done ? JsonString(*done, "text") : "no answer";
  }
  pid_t PidOf(const std::string& plugin) {
    const Json answer = Fetch("GET", "/v1/plugins");
    for (const Json& each : answer.at("plugins")) {
      if (JsonString(each, "name") == plugin) return static_cast<pid_t>(JsonInt(each, "pid"));
    }
    return 0;
  }

  io::Loop loop_;
  test::TempFolder folder_{test::Where::kMemory};
  std::unique_ptr<io::HttpClient> client_;
  std::unique_ptr<daemon::Daemon> daemon_;
};

TEST_F(PluginTurnsTest, AModelOfAPluginCallsATool) {
  EXPECT_EQ(JsonString(Fetch("GET", "/v1/status"), "model"), "local/rules");
  Watched watched;
  Say("echo, please", watched);
  EXPECT_EQ(JsonString(*Until(watched, "text_delta"), "text"), "Let");
  EXPECT_EQ(JsonString(*Until(watched, "tool_result"), "tool"), "t__echo");
  const auto done = Until(watched, "done");
  ASSERT_TRUE(done);
  EXPECT_THAT(JsonString(*done, "text"),
              AllOf(HasSubstr("Let me see."), HasSubstr("from the tool")));
  EXPECT_EQ(JsonString(*done, "model"), "local/rules");
  EXPECT_EQ(JsonInt(*done, "rounds"), 2);
  EXPECT_GT(JsonInt((*done)["usage"], "output_tokens"), 0);
}

TEST_F(PluginTurnsTest, ProgressIsStreamed) {
  Watched watched;
  Say("steps", watched);
  const auto progress = Until(watched, "tool_progress");
  ASSERT_TRUE(progress);
  EXPECT_EQ(JsonString(*progress, "text"), "one");
  EXPECT_EQ(JsonDouble(*progress, "total"), 2);
  EXPECT_THAT(Answered(watched), HasSubstr("told"));
}

TEST_F(PluginTurnsTest, HowACallIsUndoneIsKeptWithItsEffect) {
  Watched watched;
  Say("mark it", watched);
  EXPECT_THAT(Answered(watched), HasSubstr("marked"));
  const Json told = Fetch("GET", "/v1/turns/" + watched.turn + "/effects");
  ASSERT_EQ(told.at("effects").size(), 1u) << told.dump();
  const Json& effect = told["effects"][0];
  EXPECT_EQ(effect["tool"], "t__mark");
  EXPECT_EQ(effect["effect"], "write");
  EXPECT_EQ(effect["state"], "done");
  EXPECT_EQ(effect["compensation"], Json({{"tool", "t__unmark"}, {"arguments", {{"name", "it"}}}}));
  EXPECT_TRUE(Fetch("GET", "/v1/turns/none/effects").contains("error"));
}

TEST_F(PluginTurnsTest, AQuestionIsAnsweredOverHttp) {
  Watched watched;
  Say("ask me", watched);
  const auto question = Until(watched, "question");
  ASSERT_TRUE(question);
  EXPECT_EQ(JsonString(*question, "plugin"), "t");
  EXPECT_EQ(JsonString(*question, "text"), "How many?");
  EXPECT_TRUE(Reply(watched, *question, R"({"action":"accept","content":{}})").contains("error"));
  EXPECT_EQ(
      JsonString(Reply(watched, *question, R"({"action":"accept","content":{"n":"7"}})"), "action"),
      "accept");
  EXPECT_THAT(Answered(watched), HasSubstr(R"(heard [q accept {"n":7}])"));
}

TEST_F(PluginTurnsTest, DecliningIsAnAnswer) {
  Watched watched;
  Say("order", watched);
  const auto question = Until(watched, "question");
  ASSERT_TRUE(question);
  EXPECT_FALSE(Reply(watched, *question, R"({"action":"decline"})").contains("error"));
  EXPECT_THAT(Answered(watched), HasSubstr("heard [q decline ]"));
}

TEST_F(PluginTurnsTest, CancellingTheTurnWithdrawsTheQuestion) {
  Watched watched;
  Say("order", watched);
  const auto question = Until(watched, "question");
  ASSERT_TRUE(question);
  Fetch("POST", "/v1/turns/" + watched.turn + "/cancel", "{}");
  EXPECT_TRUE(Until(watched, "error"));
  EXPECT_EQ(JsonString(Fetch("GET", "/v1/turns/" + watched.turn), "state"), "cancelled");
  EXPECT_TRUE(Reply(watched, *question, R"({"action":"accept"})").contains("error"));
}

TEST_F(PluginTurnsTest, APluginKilledWhileItAsksIsAnErrorForTheModel) {
  Watched watched;
  Say("order", watched);
  const auto question = Until(watched, "question");
  ASSERT_TRUE(question);
  ASSERT_GT(PidOf("t"), 0);
  ::kill(PidOf("t"), SIGKILL);
  const auto closed = Until(watched, "question_closed");
  ASSERT_TRUE(closed);
  EXPECT_EQ(JsonString(*closed, "action"), "cancel");
  const auto result = Until(watched, "tool_result");
  ASSERT_TRUE(result);
  EXPECT_TRUE(JsonBool(*result, "is_error"));
  EXPECT_TRUE(Until(watched, "done"));
}

class CodesTest : public PluginTurnsTest {
 protected:
  // A turn that waits for a code; the approval.
  Json Pay(Watched& watched) {
    Say("pay the invoice", watched);
    auto approval = Until(watched, "approval");
    EXPECT_TRUE(approval);
    return approval ? *approval : Json();
  }
  Json Approve(const Json& approval, const std::string& code) {
    return Fetch("POST", "/v1/approvals/" + JsonString(approval, "approval"),
                 DumpJson({{"answer", "approve"}, {"code", code}}));
  }
};

TEST_F(CodesTest, TheCodeIsInAFileThatOnlyThisUserMayRead) {
  Watched watched;
  const Json approval = Pay(watched);
  const std::string id = JsonString(approval, "approval");
  const std::string file = "run/approvals/" + id;
  EXPECT_EQ(JsonString(approval, "code_at"), "the file " + (folder_ / file));
  EXPECT_EQ(std::filesystem::status(folder_ / file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(std::filesystem::status(folder_ / "run/approvals").permissions(),
            std::filesystem::perms::owner_all);
  const std::string told = Read(file);
  const std::string code = told.substr(0, told.find('\n'));
  EXPECT_EQ(code.size(), 6u);
  EXPECT_THAT(told, HasSubstr("t__pay {\"amount\":5"));
  // The API that asks has it nowhere.
  const std::string shown = DumpJson(approval) + DumpJson(Fetch("GET", "/v1/approvals/" + id)) +
                            DumpJson(Fetch("GET", "/v1/turns/" + watched.turn));
  EXPECT_EQ(shown.find("\"" + code), std::string::npos);

  EXPECT_TRUE(Approve(approval, "").contains("error"));
  EXPECT_TRUE(Approve(approval, code + "0").contains("error"));
  EXPECT_EQ(JsonString(Approve(approval, code), "state"), "approved");
  EXPECT_THAT(Answered(watched), HasSubstr("paid"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / file));
}

TEST_F(CodesTest, WithANotificationChannelTheCodeGoesThatWayAndNoOther) {
  Stop();
  Configure(Read("talon.yaml") + "  note: {plugin: " TALON_NOTIFY_FILE
                                 "}\nnotifications: {plugin: note}\n");
  Start();
  Watched watched;
  const Json approval = Pay(watched);
  EXPECT_EQ(JsonString(approval, "code_at"), "the notification channel");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/approvals"));
  const auto note = ParseJson(Read("plugins/data/note/notifications.jsonl"), "note");
  ASSERT_TRUE(note.ok()) << note.status();
  const std::string text = JsonString(*note, "text");
  EXPECT_THAT(text, HasSubstr(" approves: t__pay {"));
  EXPECT_EQ(JsonString(Approve(approval, text.substr(0, text.find(' '))), "state"), "approved");
  EXPECT_THAT(Answered(watched), HasSubstr("paid"));
}

TEST_F(CodesTest, WhereTheChannelFailsTheCallIsRefused) {
  Stop();
  Configure(Read("talon.yaml") + "notifications: {plugin: absent}\n");
  Start();
  Watched watched;
  Say("pay the invoice", watched);
  EXPECT_THAT(Answered(watched), HasSubstr("the code could not be sent"));
}

TEST_F(CodesTest, FiveWrongCodesDenyTheCall) {
  Watched watched;
  const Json approval = Pay(watched);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Approve(approval, "wrong").contains("error")) << i;
  EXPECT_THAT(Answered(watched), HasSubstr("the user was asked and denied this call"));
  const std::string path = "/v1/approvals/" + JsonString(approval, "approval");
  EXPECT_EQ(JsonString(Fetch("GET", path), "state"), "denied");
}

// The read-only call runs again, asks again, and nobody watches any more.
TEST_F(PluginTurnsTest, ARestartWhileAQuestionIsOpenResumesTheTurn) {
  Watched watched;
  Say("ask me", watched, "key-1");
  ASSERT_TRUE(Until(watched, "question"));
  Stop();
  watched.stream.reset();
  Start();
  const Json outcome = Fetch("GET", "/v1/turns/" + watched.turn + "?wait=true");
  EXPECT_EQ(JsonString(outcome, "state"), "completed") << outcome.dump();
  EXPECT_THAT(JsonString(outcome, "text"), HasSubstr("heard [q cancel "));
}

// The other kind is not repeated: what it did is not known.
TEST_F(PluginTurnsTest, ARestartWhileAToolWithAnEffectAsksTellsThatTheOutcomeIsUnknown) {
  Watched watched;
  Say("order", watched, "key-2");
  ASSERT_TRUE(Until(watched, "question"));
  Stop();
  watched.stream.reset();
  Start();
  const Json outcome = Fetch("GET", "/v1/turns/" + watched.turn + "?wait=true");
  EXPECT_EQ(JsonString(outcome, "state"), "completed") << outcome.dump();
  EXPECT_THAT(JsonString(outcome, "text"), HasSubstr("outcome unknown"));
}

}  // namespace
}  // namespace talon
